"""SHACL Core over plain dicts: no graph library, no query a node.

What the standard leaves to the engine: a shape's results come in the order of its focus nodes in the data; sub-classes
are those stated in the data graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Store

from api_gateway_service_mesh import resources

from .bulk import Bulk
from .checks import Checks
from .constraints import component
from .index import TripleIndex
from .ontology import read_turtle
from .results import PropertyPath, ValidationResult
from .shapes import Shape, ShapesGraph
from .sparql_constraint import COMPONENT, SparqlConstraint, SparqlRow
from .tbox import SUB_CLASS
from .terms import CONFIG_GRAPH, INFERRED_GRAPH, RDF_TYPE, Term, lexical, local_name

__all__ = ["Results", "Run", "in_order", "shape_results", "shipped_shapes", "validate_shapes"]

_CLOSED = component("closed")
_NOTHING: tuple[Term, ...] = ()

Results = dict[tuple[int, Term], tuple[ValidationResult, ...]]
"""What was found, by the number of the shape and the focus node."""


class Run:
    """One validation: the data, and what was worked out about it so far.

    ``data`` is asked for when a ``sh:sparql`` needs a store. A ``partial`` run looks at few nodes, and gives each query
    just what it may look at.
    """

    def __init__(self, index: TripleIndex, data: Callable[[], Store], *, partial: bool = False) -> None:
        self.index = index
        self.partial = partial
        self.graphs: list[NamedNode | BlankNode | DefaultGraph] = [CONFIG_GRAPH, INFERRED_GRAPH]
        self.sparql_rows: dict[Term, dict[Term, list[SparqlRow]]] = {}
        self._data = data
        self._classes: dict[Term, frozenset[Term]] = {}
        self._targets: dict[tuple[str, Term], dict[Term, None]] = {}
        self.checks = Checks(self)

    def close(self) -> None:
        """Let go of the data. Checks and run know each other, so without this it would stay until cycles are looked
        for, which over a large graph is done rarely."""
        self.__dict__.clear()

    @property
    def store(self) -> Store:
        """All triples, for SPARQL."""
        return self._data()

    def classes(self, top: Term) -> frozenset[Term]:
        """A class and all below it, as the data states."""
        known = self._classes.get(top)
        if known is None:
            below: dict[Term, None] = {top: None}
            todo = [top]
            while todo:
                fresh = [c for c in self.index.holders(SUB_CLASS, todo.pop()) if c not in below]
                below.update(dict.fromkeys(fresh))
                todo += fresh
            known = self._classes[top] = frozenset(below)
        return known

    def conforms(self, shape: Shape, node: Term) -> bool:
        """Whether a node has no result for a shape (targets play no part)."""
        return self.checks.node(shape)(node)

    def is_focus(self, shape: Shape, node: Term) -> bool:
        """Whether a shape's targets select a node."""
        for kind, value in shape.targets:
            if kind == "targetNode":
                chosen = node == value
            elif kind == "targetClass":
                accepted = self.classes(value)
                chosen = any(held in accepted for held in self.index.values(node, RDF_TYPE))
            elif kind == "targetSubjectsOf":
                chosen = value in self.index.properties(node)
            else:
                chosen = bool(self.index.holders(value, node))  # type: ignore[arg-type]
            if chosen:
                return True
        return False

    def target_nodes(self, target: tuple[str, Term]) -> dict[Term, None]:
        """The nodes that one target selects, once each."""
        found = self._targets.get(target)
        if found is None:
            kind, value = target
            found = self._targets[target] = {}
            if kind == "targetNode":
                found[value] = None
            elif kind == "targetClass":
                for below in sorted(self.classes(value), key=str):
                    found.update(dict.fromkeys(self.index.instances(below)))  # type: ignore[arg-type]
            elif kind == "targetSubjectsOf":
                found.update(self.index.users(value))  # type: ignore[arg-type]
            else:
                found.update(dict.fromkeys(self.index.inverse(value)))  # type: ignore[arg-type]
        return found

    def results(self, shape: Shape, focus: Term) -> list[ValidationResult]:
        """What a shape finds wrong with one focus node."""
        found: list[ValidationResult] = []
        if not shape.deactivated:
            self._collect(shape, focus, self._values(shape.path, focus), found)
        return found

    def _collect(self, shape: Shape, focus: Term, values: Sequence[Term], found: list[ValidationResult]) -> None:
        for constraint in shape.constraints:
            for failed in constraint.failures(self, focus, values):
                parameter = constraint.parameter
                message = shape.message or _default_message(constraint.component, parameter)
                found.append(
                    ValidationResult(
                        focus, constraint.component, shape.node, shape.severity, message, shape.path, failed, parameter
                    )
                )
        if shape.properties:
            for value in values:
                held = self.index.properties(value)
                for inner in shape.properties:
                    path = inner.path
                    if path is None or path.inverse:
                        further: Sequence[Term] = self._values(path, value)
                    else:
                        further = held.get(path.predicate, _NOTHING)
                    if (further or not inner.content_with_nothing) and not inner.deactivated:
                        self._collect(inner, value, further, found)
        if shape.closed:
            found += self._beyond(shape, values)
        for query in shape.sparql:
            found += (_of_row(shape, query, focus, row) for row in query.rows(self, focus))

    def _values(self, path: PropertyPath | None, focus: Term) -> Sequence[Term]:
        if path is None:
            return [focus]
        if path.inverse:
            return self.index.holders(path.predicate, focus)
        return self.index.values(focus, path.predicate)

    def _beyond(self, shape: Shape, values: Iterable[Term]) -> Iterator[ValidationResult]:
        allowed = shape.closed.allowed if shape.closed else frozenset()
        for value in values:
            for predicate, held in self.index.properties(value).items():
                if predicate not in allowed:
                    message = shape.message or f"property {local_name(predicate.value)} is not allowed here"
                    for one in held:
                        path = PropertyPath(predicate)
                        yield ValidationResult(
                            value, _CLOSED, shape.node, shape.severity, message, path, one, tuple(allowed)
                        )


def validate_shapes(index: TripleIndex, data: Callable[[], Store], shapes: ShapesGraph) -> list[ValidationResult]:
    """All results of all targeted shapes, each once. ``data()`` is what ``sh:sparql`` queries."""
    return in_order(shape_results(Run(index, data), shapes))


def shape_results(run: Run, shapes: ShapesGraph) -> Results:
    """The results of every targeted shape (by its number in ``shapes.targeted``) and focus node that has any."""
    found: Results = {}
    # Shapes with the same target look at its nodes together; nodes that an earlier target of a shape had are left out.
    groups: dict[tuple[tuple[str, Term], ...], list[tuple[int, Shape]]] = {}
    for number, shape in enumerate(shapes.targeted):
        for place in range(len(shape.targets)):
            groups.setdefault(tuple(shape.targets[: place + 1]), []).append((number, shape))
    bulk = Bulk(run)
    for (*earlier, target), group in groups.items():
        nodes = run.target_nodes(target)
        every = frozenset(nodes).difference(*(run.target_nodes(other) for other in earlier))
        if not every:
            continue
        verdicts = bulk.of_targets([shape for _, shape in group], every)
        for (number, shape), suspects in zip(group, verdicts, strict=True):
            for focus in nodes if suspects else ():
                if focus in suspects:
                    results = run.results(shape, focus)
                    if results:
                        found[number, focus] = tuple(results)
    return found


def in_order(found: Results) -> list[ValidationResult]:
    """Results each once, by the order of their shapes; what is said of one focus node depends on nothing else."""
    ordered = sorted(found.items(), key=lambda entry: entry[0][0])
    return list(dict.fromkeys(result for _, results in ordered for result in results))


@cache
def shipped_shapes() -> ShapesGraph:
    """The shapes that agw ships with."""
    return ShapesGraph(read_turtle(resources.shapes()))


def _of_row(shape: Shape, query: SparqlConstraint, focus: Term, row: SparqlRow) -> ValidationResult:
    path = shape.path
    if isinstance(row.path, NamedNode):
        path = PropertyPath(row.path)
    value = row.value if row.value is not None or shape.path else focus
    message = query.message or shape.message or "a condition of the shape does not hold"
    shown = {**row.bindings, "this": focus}
    message = re.sub(r"\{[?$](\w+)\}", lambda m: lexical(shown[m[1]]) if m[1] in shown else m[0], message)
    return ValidationResult(focus, COMPONENT, shape.node, shape.severity, message, path, value, (), query.node)


def _default_message(component_: NamedNode, parameter: tuple[Term, ...]) -> str:
    name = local_name(component_.value).removesuffix("ConstraintComponent")
    shown = ", ".join(
        local_name(lexical(p)) if isinstance(p, NamedNode) else lexical(p)
        for p in parameter
        if not isinstance(p, Literal) or p.value
    )
    return f"{name[0].lower()}{name[1:]} {shown}".strip()
