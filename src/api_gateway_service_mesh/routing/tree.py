"""The tree of segments: which templates and prefixes hold for a path.

Built node by node, then folded: segments after which there is nothing to choose stand in the node they lead to. With
ten thousand routes each node that a look-up visits is a miss of the processor's cache, so few are visited: the ones at
which paths part.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Generic, TypeVar

from .path import ANY_SEGMENT

__all__ = ["PathTree"]

T = TypeVar("T")


class _Node(Generic[T]):
    """A place in the tree. ``chain`` are the segments that lead to it from where paths parted (ANY_SEGMENT: any that is
    not empty), ``here`` is what ends at it, ``below`` what holds for it and all paths below it."""

    __slots__ = ("below", "chain", "here", "literals", "parameter")

    def __init__(self) -> None:
        self.chain: tuple[str, ...] = ()
        self.literals: dict[str, _Node[T]] | None = None
        self.parameter: _Node[T] | None = None
        self.here: T | None = None
        self.below: T | None = None


class PathTree(Generic[T]):
    """Things by segmented path. `add` all, then `fold`, then ask."""

    __slots__ = ("_depth", "_root")

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._depth = 0

    def add(self, thing: T, segments: Sequence[str], *, open_ended: bool) -> None:
        """`thing` stands at `segments`; `open_ended`: and for all paths below. One thing of each kind a place."""
        node = self._root
        for stated in segments:
            segment = intern(stated)  # "items" of a thousand routes is one object, which the cache then has
            if segment == ANY_SEGMENT:
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
            else:
                if node.literals is None:
                    node.literals = {}
                child = node.literals.get(segment)
                if child is None:
                    child = node.literals[segment] = _Node()
                node = child
        if open_ended:
            node.below = thing
        else:
            node.here = thing
        self._depth = max(self._depth, len(segments))

    def fold(self) -> None:
        """Nothing more is added."""
        todo = [self._root]
        while todo:
            node = todo.pop()
            chain: list[str] = []
            end = node
            while end.here is None and end.below is None:
                only = _only_child(end)
                if only is None:
                    break
                segment, end = only
                chain.append(segment)
            if chain:
                node.chain = tuple(chain)
                node.literals, node.parameter = end.literals, end.parameter
                node.here, node.below = end.here, end.below
            if node.literals is not None:
                todo += node.literals.values()
            if node.parameter is not None:
                todo.append(node.parameter)

    def changed(self, segments: Sequence[str], thing: T | None, *, open_ended: bool) -> PathTree[T]:
        """This (folded) tree with `thing` at a place, or nothing there. What does not lie on the way is shared."""
        made: PathTree[T] = PathTree()
        made._depth = max(self._depth, len(segments))
        wanted = tuple([intern(segment) for segment in segments])
        made._root = _placed(self._root, wanted, thing, open_ended) or _Node()
        return made

    def holding(self, path: str) -> list[T]:
        """What holds for `path` (its text, with its leading slash), in no order."""
        if path[:1] != "/":
            return []
        # Segments beyond the deepest stay in one piece: a path of thousands of slashes costs no more.
        segments = path.split("/", self._depth + 1)
        return self._walk(segments, 1, ends=True)

    def open_ended(self, segments: Sequence[str]) -> list[T]:
        """What holds for every path that goes on below `segments`, in no order."""
        return self._walk(segments, 0, ends=False)

    def _walk(self, segments: Sequence[str], at: int, *, ends: bool) -> list[T]:
        """`ends`: the path ends where `segments` do; what stands just there holds too."""
        found: list[T] = []
        end = len(segments)
        node = self._root
        parted: list[tuple[_Node[T], int]] | None = None
        while True:
            reached = True
            for wanted in node.chain:
                if at == end:
                    reached = False
                    break
                segment = segments[at]
                at += 1
                if wanted != segment and (wanted != ANY_SEGMENT or not segment):
                    reached = False
                    break
            if reached:
                if node.below is not None:
                    found.append(node.below)
                if at < end:
                    segment = segments[at]
                    child = node.literals.get(segment) if node.literals is not None else None
                    parameter = node.parameter if segment else None
                    if child is not None:
                        at += 1
                        if parameter is not None:
                            if parted is None:
                                parted = []
                            parted.append((parameter, at))
                        node = child
                        continue
                    if parameter is not None:
                        at += 1
                        node = parameter
                        continue
                elif ends and node.here is not None:
                    found.append(node.here)
            if not parted:
                return found
            node, at = parted.pop()


def _placed(node: _Node[T] | None, segments: tuple[str, ...], thing: T | None, open_ended: bool) -> _Node[T] | None:
    """A folded node like `node`, with `thing` at `segments` from where its chain begins; None: nothing is left."""
    if node is None:
        if thing is None:
            return None
        made: _Node[T] = _Node()
        made.chain = segments
        _put(made, thing, open_ended)
        return made
    chain = node.chain
    common = 0
    while common < len(chain) and common < len(segments) and chain[common] == segments[common]:
        common += 1
    if common < len(chain):  # the ways part within the chain
        if thing is None:
            return node
        upper: _Node[T] = _Node()
        upper.chain = chain[:common]
        lower = _copied(node)
        lower.chain = chain[common + 1 :]
        _attach(upper, chain[common], lower)
        if common == len(segments):
            _put(upper, thing, open_ended)
        else:
            _attach(upper, segments[common], _placed(None, segments[common + 1 :], thing, open_ended))
        return upper
    made = _copied(node)
    if common == len(segments):
        _put(made, thing, open_ended)
    else:
        segment, rest = segments[common], segments[common + 1 :]
        if segment == ANY_SEGMENT:
            _attach(made, segment, _placed(node.parameter, rest, thing, open_ended))
        else:
            child = node.literals.get(segment) if node.literals is not None else None
            _attach(made, segment, _placed(child, rest, thing, open_ended))
    if made.here is not None or made.below is not None:
        return made
    if made.parameter is None and not made.literals:
        return None
    only = _only_child(made)
    if only is not None:
        merged = _copied(only[1])
        merged.chain = (*made.chain, only[0], *only[1].chain)
        return merged
    return made


def _put(node: _Node[T], thing: T | None, open_ended: bool) -> None:
    if open_ended:
        node.below = thing
    else:
        node.here = thing


def _attach(node: _Node[T], segment: str, child: _Node[T] | None) -> None:
    """`child` as the way on from `node` by `segment`; None: none. `node` is a copy that nobody has yet."""
    if segment == ANY_SEGMENT:
        node.parameter = child
        return
    literals = dict(node.literals) if node.literals is not None else {}
    if child is None:
        literals.pop(segment, None)
    else:
        literals[segment] = child
    node.literals = literals or None


def _copied(node: _Node[T]) -> _Node[T]:
    made: _Node[T] = _Node()
    made.chain = node.chain
    made.literals, made.parameter = node.literals, node.parameter
    made.here, made.below = node.here, node.below
    return made


def _only_child(node: _Node[T]) -> tuple[str, _Node[T]] | None:
    """The one way on from `node`, None when there are several or none."""
    literals = node.literals
    if node.parameter is not None:
        return (ANY_SEGMENT, node.parameter) if not literals else None
    if literals is not None and len(literals) == 1:
        return next(iter(literals.items()))
    return None
