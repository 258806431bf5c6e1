"""How far a change reaches: which nodes a query (or a shape) must be asked about again, and what it then looks at.

A query that starts from one node (its *root*: the route, the focus node) looks at triples in places that can be
written down as a walk from the root. Walked backwards from a changed triple, they lead to every root whose answer may
have changed; walked forwards from a root, to every triple that its answer can depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyoxigraph import NamedNode

from .index import TripleIndex
from .patterns import Group, Pattern, Patterns
from .terms import RDF_TYPE, Row, Term

__all__ = ["Footprint", "Read", "Step", "footprint_of", "roots_of"]

Step = tuple[NamedNode, bool]
"""A predicate, walked backwards when True."""


@dataclass(frozen=True, slots=True)
class Read:
    """A look at a property of a node (None: at all of them): at its values, or (``inverse``) at its holders.

    ``steps`` lead from the root to the node; None: the node has nothing to do with the root, so all roots look there.
    ``value`` is the only value looked for, where it is stated; ``kind`` a class that the node is known to be of.
    """

    predicate: NamedNode | None
    inverse: bool
    steps: tuple[Step, ...] | None
    value: NamedNode | None = None
    kind: NamedNode | None = None

    def place(self, row: Row) -> Term | None:
        """The node at which this look sees a triple; None when it does not."""
        if self.value is not None and row[2] != self.value:
            return None
        return row[2] if self.inverse else row[0]


def roots_of(index: TripleIndex, read: Read, node: Term) -> Iterable[Term]:
    """The nodes from which ``read.steps`` lead to `node`."""
    level: Iterable[Term] = (node,)
    for predicate, inverse in reversed(read.steps or ()):
        before: dict[Term, None] = {}
        if inverse:
            for place in level:
                before.update(dict.fromkeys(index.values(place, predicate)))
        else:
            holders = index.inverse(predicate)
            for place in level:
                before.update(dict.fromkeys(holders.get(place, ())))
        level = before
    return level


_Known = dict[str, tuple[Step, ...] | None]


@dataclass(frozen=True, slots=True)
class _Edge:
    """A triple pattern and the variable it is reached at (None: through its constant object)."""

    pattern: Pattern
    near: str | None
    inverse: bool
    far: str | None


@dataclass(frozen=True, slots=True)
class Footprint:
    """The looks of one query, in an order in which each one's node is known before it is needed."""

    root: str
    edges: tuple[_Edge, ...]
    reads: tuple[Read, ...]
    demanded: tuple[Pattern, ...] = ()
    """Patterns about the root, of which there is no answer without one; none where that cannot be told."""
    needed: frozenset[NamedNode] = frozenset()
    """Properties that have to be used somewhere, or there is no answer at all."""

    def roots(self, index: TripleIndex) -> Iterable[Term] | None:
        """Everything there may be an answer about; None when that cannot be told."""
        if not self.demanded:
            return None
        found: dict[Term, None] = {}
        for pattern in self.demanded:
            assert pattern.predicate is not None
            if isinstance(pattern.object, NamedNode):
                found.update(dict.fromkeys(index.holders(pattern.predicate, pattern.object)))
            else:
                found.update(index.users(pattern.predicate))  # type: ignore[arg-type]
        return found

    def gather(self, index: TripleIndex, roots: Iterable[Term]) -> dict[Row, None]:
        """Every triple that the answers for these roots can depend on."""
        found: dict[Row, None] = {}
        nodes: dict[str, dict[Term, None]] = {self.root: dict.fromkeys(roots)}
        for edge in self.edges:
            predicate, value = edge.pattern.predicate, edge.pattern.object
            wanted = value if isinstance(value, NamedNode) else None
            reached: dict[Term, None] = {}
            if predicate is None:
                for node in nodes[edge.near or ""]:
                    for each, values in index.properties(node).items():
                        reached.update(dict.fromkeys(values))
                        found.update(dict.fromkeys((node, each, held) for held in values))  # type: ignore[misc]
            elif edge.near is None:
                for holder in index.holders(predicate, wanted):  # type: ignore[arg-type]
                    reached[holder] = None
                    found[(holder, predicate, wanted)] = None  # type: ignore[index]
            elif edge.inverse:
                for node in nodes[edge.near]:
                    for holder in index.holders(predicate, node):
                        reached[holder] = None
                        found[(holder, predicate, node)] = None
            else:
                for node in nodes[edge.near]:
                    for held in index.values(node, predicate):
                        if wanted is None or held == wanted:
                            reached[held] = None
                            found[(node, predicate, held)] = None  # type: ignore[index]
            if edge.far is not None:
                nodes.setdefault(edge.far, {}).update(reached)
        return found


def footprint_of(patterns: Patterns, root: str) -> Footprint | None:
    """What a query looks at from `root`; None when it cannot be said: `root` is not bound by the outermost group, or
    a group looks at something that nothing around it leads to."""
    if patterns.grouped is not None and root not in patterns.grouped:
        return None
    if not patterns.where.binds(root):
        return None
    mapper = _Mapper()
    if not mapper.take(patterns.where, {root: ()}, {}):
        return None
    needed = frozenset(p.predicate for p in patterns.where.patterns if p.predicate is not None and not p.closure)
    demanded = _demanded(patterns.where, root)
    return Footprint(root, tuple(mapper.edges), tuple(dict.fromkeys(mapper.reads)), demanded, needed)


def _demanded(group: Group, root: str) -> tuple[Pattern, ...]:
    for pattern in group.patterns:
        if pattern.subject == root and pattern.predicate is not None and not pattern.closure:
            return (pattern,)
    for groups in group.alternatives:
        found = [_demanded(each, root) for each in groups]
        if all(found):
            return tuple(pattern for each in found for pattern in each)
    return ()


class _Mapper:
    def __init__(self) -> None:
        self.edges: list[_Edge] = []
        self.reads: list[Read] = []

    def take(self, group: Group, bound: _Known, typed: Mapping[str, NamedNode]) -> bool:
        """Walk the patterns of a group, whose surroundings lead to these variables, then the groups inside."""
        known, kinds = dict(bound), dict(typed)
        todo = list(group.patterns)
        while todo:
            ready = [pattern for pattern in todo if not pattern.closure and _near(pattern, known) is not None]
            if ready:
                for pattern in ready:
                    self.walk(pattern, known, kinds)
                todo = [pattern for pattern in todo if pattern not in ready]
                continue
            anchored = next(
                (p for p in todo if isinstance(p.object, NamedNode) and p.predicate and not p.closure), None
            )
            if anchored is not None and isinstance(anchored.subject, str):
                known[anchored.subject] = None
                if anchored.predicate == RDF_TYPE:
                    kinds[anchored.subject] = anchored.object  # type: ignore[assignment]
                self.edges.append(_Edge(anchored, None, True, anchored.subject))
                self.reads.append(Read(anchored.predicate, True, None, anchored.object))  # type: ignore[arg-type]
                todo.remove(anchored)
                continue
            if all(pattern.closure and _ends(pattern) <= known.keys() for pattern in todo):
                break
            return False
        return all(self.take(inner, known, kinds) for inner in group.inner)

    def walk(self, pattern: Pattern, known: _Known, kinds: Mapping[str, NamedNode]) -> None:
        near = _near(pattern, known)
        assert near is not None
        inverse = near != pattern.subject
        far = pattern.subject if inverse else _variable(pattern.object)
        steps, predicate = known[near], pattern.predicate
        kind = kinds.get(near) if steps is None else None
        self.reads.append(Read(predicate, inverse, steps, None if inverse else _constant(pattern.object), kind))
        if predicate is None or not isinstance(far, str):
            far = None
        elif far not in known:
            known[far] = None if steps is None else (*steps, (predicate, inverse))
        self.edges.append(_Edge(pattern, near, inverse, far))


def _near(pattern: Pattern, known: _Known) -> str | None:
    """The end of a pattern that is reached already; of two, the one that a walk from the root leads to."""
    value = _variable(pattern.object)
    if value not in known or pattern.predicate is None or not isinstance(pattern.subject, str):
        value = None
    if isinstance(pattern.subject, str) and pattern.subject in known:
        roundabout = known[pattern.subject] is None and value is not None and known[value] is not None
        return value if roundabout else pattern.subject
    return value


def _anchored(pattern: Pattern) -> bool:
    """Whether a pattern can be looked up though nothing leads to it: ``?gateway a agw:ApiGateway``."""
    return isinstance(pattern.object, NamedNode) and pattern.predicate is not None and not pattern.closure


def _constant(term: str | NamedNode | None) -> NamedNode | None:
    return term if isinstance(term, NamedNode) else None


def _variable(term: str | NamedNode | None) -> str | None:
    return term if isinstance(term, str) else None


def _ends(pattern: Pattern) -> set[str]:
    return {end for end in (pattern.subject, pattern.object) if isinstance(end, str)}
