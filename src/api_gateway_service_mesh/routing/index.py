"""The index: from host and path to the few routes that can take a request, best first.

Cost of a look-up, by path kind: exact, one hash; templates and prefixes, one walk down a tree of segments (each segment
one hash, and one more node for each level at which a parameter stands beside literal text); regular expressions, one
scan of the path for all of them. Many routes on one path are told apart by a switch. None grows with the number of
routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from api_gateway_service_mesh.model import PathKind

from .entry import RouteEntry
from .host import HostKey
from .path import ANY_SEGMENT
from .pattern import PatternSet
from .precedence import MethodRank, PathKey
from .switch import FEWEST, Switch, switch_for

__all__ = ["Candidates", "HostGroup", "Leaf", "methods_of"]

#: Entries in precedence order; none behind the first that has no header or query predicate.
Candidates = tuple[RouteEntry, ...]

_by_order = attrgetter("order")


class Leaf(dict[str, Candidates]):
    """The routes of one host and one path, by method. ``leaf[method]`` answers for every method."""

    __slots__ = ("entries", "order", "otherwise", "switches")

    def __init__(self, entries: Sequence[RouteEntry], order: int) -> None:
        super().__init__()
        self.entries = tuple(entries)
        self.order = order
        self.otherwise: Candidates = _reachable([entry for entry in entries if not entry.methods])
        for method in methods_of(entries):
            self[method] = _reachable(ranked(entries, method))
        #: Where a path has many routes: by method ("" for one that none states) a switch over them.
        self.switches: dict[str, Switch] | None = None
        if len(entries) >= FEWEST:
            made = {method: switch_for(listed) for method, listed in (*self.items(), ("", self.otherwise))}
            self.switches = {method: switch for method, switch in made.items() if switch is not None} or None

    def pick(self, method: str, headers: Mapping[str, str], query: str) -> Sequence[RouteEntry]:
        """The routes for `method` that the request's headers and parameters leave."""
        listed = self[method]
        if self.switches is None:
            return listed
        switch = self.switches.get(method if method in self else "")
        return listed if switch is None else switch.pick(headers, query)

    def __missing__(self, method: str) -> Candidates:
        return self.otherwise


def methods_of(entries: Sequence[RouteEntry]) -> list[str]:
    """The methods that any of `entries` states, or implies (HEAD by GET), sorted."""
    methods = {method for entry in entries for method in entry.methods}
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def ranked(entries: Sequence[RouteEntry], method: str) -> list[RouteEntry]:
    """Those of `entries` that take `method`: stated, implied, any. `entries` stand in the order of their tails."""
    if len(entries) == 1:
        return list(entries) if entries[0].method_rank(method) is not None else []
    ranks: tuple[list[RouteEntry], list[RouteEntry], list[RouteEntry]] = ([], [], [])
    for entry in entries:
        rank = entry.method_rank(method)
        if rank is not None:
            ranks[rank].append(entry)
    return ranks[MethodRank.STATED] + ranks[MethodRank.IMPLIED] + ranks[MethodRank.ANY]


def _reachable(entries: Sequence[RouteEntry]) -> Candidates:
    for position, entry in enumerate(entries):
        if entry.conditions is None:
            return tuple(entries[: position + 1])
    return tuple(entries)


class _Node:
    """A place in the tree of segments."""

    __slots__ = ("below", "here", "literals", "parameter")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.here: Leaf | None = None  # a template ends here
        self.below: Leaf | None = None  # a prefix ends here: this path and all below


class HostGroup:
    """All routes of one stated host."""

    __slots__ = ("_depth", "_expressions", "_patterns", "_root", "_shapes", "exact", "host")

    def __init__(self, host: HostKey, by_path: dict[PathKey, list[RouteEntry]]) -> None:
        self.host = host
        self.exact: dict[str, Leaf] = {}
        self._root: _Node | None = None
        self._depth = 0
        self._patterns: PatternSet | None = None
        self._shapes: list[Leaf] = []
        self._expressions: list[Leaf] = []
        shaped: list[PathKey] = []
        for key, entries in by_path.items():
            if key[0] == 0:
                self.exact[key[4]] = Leaf(entries, 0)
            else:
                shaped.append(key)
        shaped.sort()
        for order, key in enumerate(shaped):
            entries = by_path[key]
            leaf = Leaf(entries, order)
            if entries[0].path.kind is PathKind.REGULAR_EXPRESSION:
                self._expressions.append(leaf)
            else:
                self._shapes.append(leaf)
                self._plant(leaf, entries[0].path.segments, open_ended=key[3])
        if self._expressions:
            self._patterns = PatternSet([leaf.entries[0].path.text for leaf in self._expressions])

    def _plant(self, leaf: Leaf, segments: tuple[str, ...], *, open_ended: bool) -> None:
        if self._root is None:
            self._root = _Node()
        node = self._root
        for segment in segments:
            if segment == ANY_SEGMENT:
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
            else:
                child = node.literals.get(segment)
                if child is None:
                    child = node.literals[segment] = _Node()
                node = child
        if open_ended:
            node.below = leaf
        else:
            node.here = leaf
        self._depth = max(self._depth, len(segments))

    @property
    def has_shapes(self) -> bool:
        """Whether anything but exact paths stands here."""
        return self._root is not None or self._patterns is not None

    def shaped(self, path: str) -> list[Leaf]:
        """The templates and prefixes that hold for `path`, best first."""
        root = self._root
        if root is None or path[:1] != "/":
            return []
        # Segments beyond the deepest route stay in one piece: a path of thousands of slashes costs no more.
        segments = path.split("/", self._depth + 1)
        del segments[0]
        found: list[Leaf] = []
        nodes = [root]
        for segment in segments:
            below: list[_Node] = []
            for node in nodes:
                if node.below is not None:
                    found.append(node.below)
                child = node.literals.get(segment)
                if child is not None:
                    below.append(child)
                if segment and node.parameter is not None:
                    below.append(node.parameter)
            if not below:
                break
            nodes = below
        else:
            for node in nodes:
                if node.here is not None:
                    found.append(node.here)
                if node.below is not None:
                    found.append(node.below)
        if len(found) > 1:
            found.sort(key=_by_order)
        return found

    def expressions(self, path: str) -> list[Leaf]:
        """The regular expressions that hold for `path`, best first."""
        if self._patterns is None:
            return []
        leaves = self._expressions
        return [leaves[position] for position in self._patterns.matching(path)]

    def open_ended(self, segments: Sequence[str]) -> list[Leaf]:
        """The prefixes that hold for every path that goes on below `segments`, best first."""
        found: list[Leaf] = []
        nodes = [self._root] if self._root is not None else []
        for segment in (*segments, None):
            found += [node.below for node in nodes if node.below is not None]
            below: list[_Node] = []
            for node in nodes:
                child = node.literals.get(segment) if segment is not None else None
                below += [child] if child is not None else []
                below += [node.parameter] if segment and node.parameter is not None else []
            nodes = below
        found.sort(key=_by_order)
        return found

    def all_leaves(self) -> Iterator[Leaf]:
        """Every leaf of this host, in precedence order."""
        for _, leaf in sorted(self.exact.items()):
            yield leaf
        yield from self._shapes
        yield from self._expressions

    def leaves(self, path: str) -> list[Leaf]:
        """All leaves whose path predicate holds for `path`, best first."""
        exact = self.exact.get(path)
        return [*([exact] if exact is not None else []), *self.shaped(path), *self.expressions(path)]
