"""Shapes as plain functions: does one node pass? Nearly every node does, and only the others are looked at again for
what exactly is wrong (`graph.shacl`). Many nodes at once are for `graph.bulk`.

A function is bound to the data of one run. Constraints that look at nothing but a value remember which values passed:
``30`` is a whole number every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyoxigraph import NamedNode

from .constraints import ClassConstraint, Constraint, PairConstraint, SetConstraint, ShapeConstraint, ValueConstraint
from .index import Held
from .shapes import Shape
from .terms import RDF_TYPE, Term

if TYPE_CHECKING:
    from .shacl import Run

__all__ = ["Checks"]

NodeCheck = Callable[[Term], bool]
ValuesCheck = Callable[[Term, Sequence[Term]], bool]

_NOTHING: tuple[Term, ...] = ()
_NO_PROPERTIES: Held = {}


class Checks:
    """The functions of one run; each shape's is made when it is first needed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._subjects = run.index.by_subject()
        self._nodes: dict[Shape, NodeCheck] = {}

    def node(self, shape: Shape) -> NodeCheck:
        """Whether a shape has nothing to say of a focus node."""
        known = self._nodes.get(shape)
        if known is None:
            known = self._nodes[shape] = self._of_path(shape) if shape.path else self._of_node(shape)
        return known

    def _of_node(self, shape: Shape) -> NodeCheck:
        if shape.deactivated:
            return lambda focus: True
        return _each([*self._about_node(shape), *(self.node(inner) for inner in shape.properties)])

    def _about_node(self, shape: Shape) -> list[NodeCheck]:
        """What a node shape says of the node itself."""
        found = [self._one(shape, constraint) for constraint in shape.constraints]
        if shape.closed is not None:
            allowed, subjects = shape.closed.allowed, self._subjects
            found.append(lambda focus: subjects.get(focus, _NO_PROPERTIES).keys() <= allowed)
        run = self._run
        found += ((lambda focus, query=query: not query.rows(run, focus)) for query in shape.sparql)  # type: ignore[misc]
        return found

    def _one(self, shape: Shape, constraint: Constraint) -> NodeCheck:
        """A constraint whose only value node is the focus node."""
        if isinstance(constraint, ValueConstraint):
            return constraint.holds
        if isinstance(constraint, SetConstraint | PairConstraint):
            run = self._run
            return lambda focus: not list(constraint.failures(run, focus, [focus]))
        return self._per_value(constraint)

    def _per_value(self, constraint: Constraint) -> NodeCheck:
        if isinstance(constraint, ClassConstraint):
            return self._instance(constraint.wanted)
        assert isinstance(constraint, ShapeConstraint)
        parts = [self.node(shape) for shape in constraint.shapes]
        if constraint.name == "or":
            return _any(parts)
        if constraint.name == "xone":
            return lambda value: sum(part(value) for part in parts) == 1
        if constraint.name == "not":
            return lambda value: not any(part(value) for part in parts)
        return _each(parts)

    def _instance(self, wanted: NamedNode) -> NodeCheck:
        accepted, subjects = self._run.classes(wanted), self._subjects

        def check(value: Term) -> bool:
            held = subjects.get(value)
            if held is None:
                return False
            for kind in held.get(RDF_TYPE, _NOTHING):  # noqa: SIM110
                if kind in accepted:
                    return True
            return False

        return check

    def _of_path(self, shape: Shape) -> NodeCheck:
        path = shape.path
        assert path is not None
        if shape.deactivated:
            return lambda focus: True
        values_pass, predicate = self._of_values(shape), path.predicate
        trivial = shape.content_with_nothing
        if path.inverse:
            holders = self._run.index.inverse(predicate)

            def backwards(focus: Term) -> bool:
                found = holders.get(focus, _NOTHING)
                return (trivial and not found) or values_pass(focus, found)

            return backwards
        subjects = self._subjects

        def forwards(focus: Term) -> bool:
            held = subjects.get(focus)
            found = held.get(predicate, _NOTHING) if held is not None else _NOTHING
            return (trivial and not found) or values_pass(focus, found)

        return forwards

    def _of_values(self, shape: Shape) -> ValuesCheck:
        """Whether a property shape has nothing to say of these value nodes of a focus node."""
        pure: list[NodeCheck] = []
        sets: list[Callable[[Sequence[Term]], bool]] = []
        parts: list[NodeCheck] = []
        others: list[ValuesCheck] = []
        run = self._run
        for constraint in shape.constraints:
            if isinstance(constraint, ValueConstraint):
                pure.append(constraint.holds)
            elif isinstance(constraint, SetConstraint):
                sets.append(constraint.holds)
            elif isinstance(constraint, PairConstraint):
                others.append(lambda focus, values, c=constraint: not c.failures(run, focus, values))  # type: ignore[misc]
            else:
                parts.append(self._per_value(constraint))
        parts += (self.node(inner) for inner in shape.properties)
        if shape.closed is not None:
            allowed, subjects = shape.closed.allowed, self._subjects
            parts.append(lambda value: subjects.get(value, _NO_PROPERTIES).keys() <= allowed)
        others += ((lambda focus, values, q=query: not q.rows(run, focus)) for query in shape.sparql)  # type: ignore[misc]
        passed: set[Term] = set()

        def check(focus: Term, values: Sequence[Term]) -> bool:
            for demand in sets:
                if not demand(values):
                    return False
            if pure:
                for value in values:
                    if value not in passed:
                        for holds in pure:
                            if not holds(value):
                                return False
                        passed.add(value)
            for part in parts:
                for value in values:
                    if not part(value):
                        return False
            return not others or all(other(focus, values) for other in others)

        if not sets and not others and not pure and len(parts) == 1:
            only = parts[0]
            return lambda focus, values: all(map(only, values))
        return check


def _each(parts: Sequence[NodeCheck]) -> NodeCheck:
    if len(parts) == 1:
        return parts[0]

    def check(node: Term) -> bool:
        for part in parts:  # noqa: SIM110
            if not part(node):
                return False
        return True

    return check


def _any(parts: Sequence[NodeCheck]) -> NodeCheck:
    def check(node: Term) -> bool:
        for part in parts:  # noqa: SIM110
            if part(node):
                return True
        return False

    return check
