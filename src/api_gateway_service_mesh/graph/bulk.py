"""Shapes over many nodes at once: which of them do not pass?

`graph.checks` asks one node after the other, which for 10,000 routes and a hundred properties that hardly any of them
has is a million questions. Here one constraint is asked of a whole set of nodes: properties that nobody has cost
nothing, a value is judged once however many nodes have it, and ``or``, ``and``, ``not`` are operations on sets. The
verdicts are the same; what exactly is wrong with a node is for `graph.shacl` to say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TYPE_CHECKING

from pyoxigraph import NamedNode

from .constraints import ClassConstraint, Constraint, PairConstraint, SetConstraint, ShapeConstraint, ValueConstraint
from .index import Held
from .results import PropertyPath
from .shapes import Shape
from .terms import Resource, Term

if TYPE_CHECKING:
    from .shacl import Run

__all__ = ["Bulk"]

Nodes = AbstractSet[Term]
"""Nodes or values, each once."""

_NONE: frozenset[Term] = frozenset()


_NO_PROPERTIES: Held = {}
_SEVERAL = 2
"""Properties of the same nodes; from here on it pays to go through all that the nodes have."""


class _Column:
    """The nodes that have a property, and their values."""

    __slots__ = ("_distinct", "held", "present")

    def __init__(self) -> None:
        self.present: list[Term] = []
        self.held: list[Sequence[Term]] = []
        self._distinct: Nodes | None = None

    @property
    def distinct(self) -> Nodes:
        """Every value once."""
        if self._distinct is None:
            self._distinct = frozenset(chain.from_iterable(self.held))
        return self._distinct


_EMPTY = _Column()


class Bulk:
    """The verdicts of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._subjects = run.index.by_subject()
        self._members: dict[Term, frozenset[Term]] = {}
        self._targets: Nodes = _NONE
        self._columns: dict[NamedNode, _Column] = {}

    def of_targets(self, shapes: Sequence[Shape], nodes: Nodes) -> list[Nodes]:
        """`failing` for shapes with the same targets."""
        self._targets, self._columns = _NONE, {}
        index = self._run.index
        asked = {inner.path.predicate for shape in shapes for inner in shape.properties if inner.path}
        if sum(bool(index.users(predicate)) for predicate in asked) >= _SEVERAL:
            self._targets, self._columns = nodes, self._columns_of(nodes)
        return [self.failing(shape, nodes) for shape in shapes]

    def failing(self, shape: Shape, nodes: Nodes) -> Nodes:
        """Those of `nodes` that a shape has something to say of."""
        if shape.deactivated or not nodes:
            return _NONE
        if shape.path is not None:
            return self._of_property(shape, nodes)
        bad: set[Term] = set()
        for constraint in shape.constraints:
            bad |= self._alone(constraint, nodes)
        bad |= self._beyond(shape, nodes)
        for query in shape.sparql:
            bad.update(node for node in nodes if query.rows(self._run, node))
        for inner in shape.properties:
            bad |= self.failing(inner, nodes)
        return bad

    def _alone(self, constraint: Constraint, nodes: Nodes) -> Nodes:
        """The nodes that break a constraint of which each is the only value node."""
        if isinstance(constraint, SetConstraint | PairConstraint):
            return {node for node in nodes if list(constraint.failures(self._run, node, [node]))}
        return self._values(constraint, nodes)

    def _values(self, constraint: Constraint, values: Nodes) -> Nodes:
        """The values that break a constraint which looks at one at a time."""
        if isinstance(constraint, ValueConstraint):
            holds = constraint.holds
            return {value for value in values if not holds(value)}
        if isinstance(constraint, ClassConstraint):
            return values - self._instances(constraint.wanted)
        assert isinstance(constraint, ShapeConstraint)
        if constraint.name in ("or", "not"):
            left = values
            for shape in constraint.shapes:
                left = self.failing(shape, left)
            return left if constraint.name == "or" else values - left
        verdicts = [self.failing(shape, values) for shape in constraint.shapes]
        if constraint.name == "xone":
            wanted = len(verdicts) - 1
            return {value for value in values if sum(value in wrong for wrong in verdicts) != wanted}
        return _NONE.union(*verdicts)

    def _of_property(self, shape: Shape, nodes: Nodes) -> Nodes:
        assert shape.path is not None
        column = self._column(shape.path, nodes)
        present, held = column.present, column.held
        bad: set[Term] = set()
        missing: Nodes = _NONE
        if not shape.content_with_nothing and len(present) < len(nodes):
            missing = nodes - set(present)
        wrong: set[Term] = set()
        for constraint in shape.constraints:
            if isinstance(constraint, SetConstraint):
                if missing and not constraint.holds(()):
                    bad |= missing
                bad |= _uncounted(constraint, present, held)
            elif isinstance(constraint, PairConstraint):
                bad |= self._unpaired(constraint, present, held, missing)
            else:
                wrong |= self._values(constraint, column.distinct)
        for inner in shape.properties:
            wrong |= self.failing(inner, column.distinct)
        if shape.closed is not None:
            wrong |= self._beyond(shape, column.distinct)
        if wrong:
            bad.update(node for node, values in zip(present, held, strict=True) if not wrong.isdisjoint(values))
        for query in shape.sparql:
            bad.update(node for node in nodes if query.rows(self._run, node))
        return bad

    def _column(self, path: PropertyPath, nodes: Nodes) -> _Column:
        if path.inverse:
            holders = self._run.index.inverse(path.predicate)
            column = _Column()
            for node in nodes:
                held = holders.get(node)
                if held is not None:
                    column.present.append(node)
                    column.held.append(held)
            return column
        if nodes is self._targets:
            return self._columns.get(path.predicate, _EMPTY)
        users, subjects, predicate = self._run.index.users(path.predicate), self._subjects, path.predicate
        if not users:
            return _EMPTY
        column = _Column()
        for node in users if len(users) < len(nodes) else nodes:
            if node in nodes:
                values = subjects.get(node, _NO_PROPERTIES).get(predicate)
                if values:
                    column.present.append(node)
                    column.held.append(values)
        return column

    def _columns_of(self, nodes: Nodes) -> dict[NamedNode, _Column]:
        """The properties of some nodes by predicate: each node is looked up once, however many shapes ask."""
        found: dict[NamedNode, _Column] = {}
        subjects = self._subjects
        for node in nodes:
            for predicate, values in subjects.get(node, _NO_PROPERTIES).items():
                column = found.get(predicate)
                if column is None:
                    column = found[predicate] = _Column()
                column.present.append(node)
                column.held.append(values)
        return found

    def _unpaired(
        self, constraint: PairConstraint, present: Collection[Term], held: list[Sequence[Term]], missing: Nodes
    ) -> Nodes:
        run = self._run
        bad = {n for n, values in zip(present, held, strict=True) if constraint.failures(run, n, values)}
        bad.update(node for node in missing if constraint.failures(run, node, ()))
        return bad

    def _beyond(self, shape: Shape, nodes: Nodes) -> Nodes:
        """The nodes with a property that a closed shape does not allow."""
        if shape.closed is None:
            return _NONE
        allowed, properties = shape.closed.allowed, self._run.index.properties
        return {node for node in nodes if not properties(node).keys() <= allowed}

    def _instances(self, wanted: Term) -> frozenset[Term]:
        known = self._members.get(wanted)
        if known is None:
            held: list[list[Resource]] = [self._run.index.instances(kind) for kind in self._run.classes(wanted)]  # type: ignore[arg-type]
            known = self._members[wanted] = frozenset(chain.from_iterable(held))
        return known


def _uncounted(constraint: SetConstraint, present: Collection[Term], held: list[Sequence[Term]]) -> Nodes:
    holds = constraint.holds
    if constraint.counts:
        judged = {size: holds((None,) * size) for size in set(map(len, held))}  # type: ignore[arg-type]
        if all(judged.values()):
            return _NONE
        return {node for node, values in zip(present, held, strict=True) if not judged[len(values)]}
    return {node for node, values in zip(present, held, strict=True) if not holds(values)}
