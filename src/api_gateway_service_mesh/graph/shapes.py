"""Shapes read from triples into objects, once; whatever a shape demands that is not supported is an error here.

Supported: predicate and inverse paths, all targets of SHACL Core, the components named in `_SUPPORTED`, and
``sh:sparql`` with SELECT. Shapes that refer to themselves are refused (the standard leaves their meaning open).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, serialize

from api_gateway_service_mesh.errors import ConfigError, Finding, Severity

from .constraints import (
    Constraint,
    PairConstraint,
    SetConstraint,
    ShapeConstraint,
    ValueConstraint,
    class_constraint,
    conditions,
    count_constraint,
    has_value_constraint,
)
from .index import TripleIndex
from .results import SEVERITIES, PropertyPath
from .sparql_constraint import SparqlConstraint
from .terms import OWL, RDF_FIRST, RDF_NIL, RDF_REST, RDF_TYPE, RDFS, SH, Resource, Row, Term, lexical, local_name

__all__ = ["Closed", "Shape", "ShapesGraph"]


def _sh(name: str) -> NamedNode:
    return NamedNode(SH + name)


_VALUE = (
    "datatype",
    "nodeKind",
    "minInclusive",
    "maxInclusive",
    "minExclusive",
    "maxExclusive",
    "minLength",
    "maxLength",
    "pattern",
)
_PAIRS = ("equals", "disjoint", "lessThan", "lessThanOrEquals")
_LISTS = ("and", "or", "xone")
_TARGETS = ("targetClass", "targetNode", "targetSubjectsOf", "targetObjectsOf")
_SUPPORTED = frozenset(
    (
        *_VALUE,
        *_PAIRS,
        *_LISTS,
        *_TARGETS,
        "class",
        "minCount",
        "maxCount",
        "flags",
        "in",
        "hasValue",
        "node",
        "not",
        "property",
        "closed",
        "ignoredProperties",
        "sparql",
        "severity",
        "message",
        "deactivated",
        "path",
        "name",
        "description",
        "order",
        "group",
        "defaultValue",
    )
)
_SHAPE_MARKS = frozenset(
    _sh(name)
    for name in (
        *_TARGETS,
        *_VALUE,
        *_PAIRS,
        *_LISTS,
        "class",
        "minCount",
        "maxCount",
        "in",
        "hasValue",
        "node",
        "not",
        "property",
        "closed",
        "sparql",
        "path",
    )
)


@dataclass(frozen=True, slots=True)
class Closed:
    """``sh:closed``: the predicates a focus node may have."""

    allowed: frozenset[NamedNode]


@dataclass(eq=False, slots=True)
class Shape:
    """A node shape (``path`` None) or a property shape."""

    node: Resource
    path: PropertyPath | None = None
    severity: Severity = Severity.VIOLATION
    message: str | None = None
    deactivated: bool = False
    targets: list[tuple[str, Term]] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    properties: list[Shape] = field(default_factory=list)
    closed: Closed | None = None
    sparql: list[SparqlConstraint] = field(default_factory=list)
    content_with_nothing: bool = False
    """No constraint of this property shape can fail when there are no value nodes."""


class ShapesGraph:
    """All shapes of a graph; ``targeted`` are those with a target, in the order they are written."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Raises ConfigError, naming the shape, for anything unsupported or malformed."""
        self.rows = rows
        self._index = TripleIndex(rows)
        self._shapes: dict[Term, Shape] = {}
        self._refers: dict[Term, set[Term]] = {}
        for subject in list(self._index.subjects()):
            properties = self._index.properties(subject)
            is_shape = any(
                lexical(kind) in (SH + "NodeShape", SH + "PropertyShape") for kind in properties.get(RDF_TYPE, ())
            )
            if is_shape or any(mark in properties for mark in _SHAPE_MARKS):
                self._shape(subject)
        self._refuse_recursion()
        self.targeted = tuple(shape for shape in self._shapes.values() if shape.targets and not shape.deactivated)

    @cached_property
    def ntriples(self) -> bytes:
        """The triples of the shapes as N-Triples."""
        return serialize((Triple(*row) for row in self.rows), format=RdfFormat.N_TRIPLES) or b""

    def shape(self, node: Term) -> Shape:
        """The shape of this name."""
        return self._shapes[node]

    def __iter__(self) -> Iterator[Shape]:
        """Every shape, with a target or without."""
        return iter(self._shapes.values())

    def _shape(self, node: Term) -> Shape:
        known = self._shapes.get(node)
        if known is not None:
            return known
        shape = self._shapes[node] = Shape(node)  # type: ignore[arg-type]
        properties = self._index.properties(node)
        for predicate in properties:
            name = predicate.value.removeprefix(SH)
            if predicate.value.startswith(SH) and name not in _SUPPORTED:
                raise _refused(node, f"sh:{name} is not supported")
        shape.path = self._path(node)
        shape.deactivated = lexical(self._one(node, "deactivated") or Literal("false")) in ("true", "1")
        severity = self._one(node, "severity")
        if severity is not None:
            if lexical(severity) not in SEVERITIES:
                raise _refused(node, f"{severity} is no severity")
            shape.severity = SEVERITIES[lexical(severity)]
        shape.message = self._message(node)
        shape.targets = [(name, value) for name in _TARGETS for value in self._index.values(node, _sh(name))]
        kinds = {lexical(kind) for kind in properties.get(RDF_TYPE, ())}
        if kinds & {RDFS + "Class", OWL + "Class"}:
            shape.targets.append(("targetClass", node))
        try:
            self._constrain(shape)
        except ValueError as error:
            raise _refused(node, str(error)) from None
        demanding = any(isinstance(constraint, SetConstraint | PairConstraint) for constraint in shape.constraints)
        shape.content_with_nothing = shape.path is not None and not demanding and not shape.sparql
        return shape

    def _constrain(self, shape: Shape) -> None:
        node = shape.node
        flags = lexical(self._one(node, "flags") or Literal(""))
        for name in _VALUE:
            shape.constraints += (
                ValueConstraint(name, (value,), conditions(name, value, flags)) for value in self._values(node, name)
            )
        shape.constraints += (class_constraint(value) for value in self._values(node, "class"))
        shape.constraints += (count_constraint(n, v) for n in ("minCount", "maxCount") for v in self._values(node, n))
        shape.constraints += (has_value_constraint(value) for value in self._values(node, "hasValue"))
        for head in self._values(node, "in"):
            allowed = tuple(self._list(head))
            shape.constraints.append(ValueConstraint("in", allowed, frozenset(allowed).__contains__))
        for name in _PAIRS:
            shape.constraints += (PairConstraint(name, self._iri(node, v)) for v in self._values(node, name))
        for name in ("node", "not"):
            for value in self._values(node, name):
                shape.constraints.append(self._of_shapes(shape, name, [value]))
        for name in _LISTS:
            for head in self._values(node, name):
                shape.constraints.append(self._of_shapes(shape, name, self._list(head)))
        for value in self._values(node, "property"):
            inner = self._shape(value)
            if inner.path is None:
                raise _refused(value, "sh:property needs a shape with sh:path")
            self._refers.setdefault(node, set()).add(value)
            shape.properties.append(inner)
        if lexical(self._one(node, "closed") or Literal("false")) in ("true", "1"):
            shape.closed = self._closed(shape)
        for value in self._values(node, "sparql"):
            shape.sparql.append(SparqlConstraint.read(self._index, value, shape.path))  # type: ignore[arg-type]

    def _of_shapes(self, shape: Shape, name: str, nodes: Sequence[Term]) -> ShapeConstraint:
        self._refers.setdefault(shape.node, set()).update(nodes)
        shapes = tuple(self._shape(node) for node in nodes)
        return ShapeConstraint(name, shapes, tuple(nodes))

    def _closed(self, shape: Shape) -> Closed:
        stated = {inner.path.predicate for inner in shape.properties if inner.path and not inner.path.inverse}
        ignored = {
            self._iri(shape.node, v) for head in self._values(shape.node, "ignoredProperties") for v in self._list(head)
        }
        return Closed(frozenset(stated | ignored))

    def _path(self, node: Term) -> PropertyPath | None:
        path = self._one(node, "path")
        if path is None:
            return None
        inverse = self._index.value(path, _sh("inversePath"))
        if isinstance(inverse, NamedNode) and not self._complex(inverse):
            return PropertyPath(inverse, inverse=True)
        if not isinstance(path, NamedNode) or self._complex(path):
            raise _refused(node, "only a predicate or sh:inversePath of a predicate is supported as sh:path")
        return PropertyPath(path)

    def _complex(self, path: Term) -> bool:
        names = ("inversePath", "alternativePath", "zeroOrMorePath", "oneOrMorePath", "zeroOrOnePath")
        return any(self._index.values(path, p) for p in (RDF_FIRST, *map(_sh, names)))

    def _message(self, node: Term) -> str | None:
        messages = self._index.values(node, _sh("message"))
        plain = [m for m in messages if isinstance(m, Literal) and (m.language or "en").startswith("en")]
        return lexical((plain or messages)[0]) if messages else None

    def _values(self, node: Term, name: str) -> list[Term]:
        return self._index.values(node, _sh(name))

    def _one(self, node: Term, name: str) -> Term | None:
        return self._index.value(node, _sh(name))

    def _iri(self, node: Term, value: Term) -> NamedNode:
        if not isinstance(value, NamedNode):
            raise _refused(node, f"{value} stands where an IRI is needed")
        return value

    def _list(self, head: Term) -> list[Term]:
        items: list[Term] = []
        seen: set[Term] = set()
        while head != RDF_NIL:
            item = self._index.value(head, RDF_FIRST)
            following = self._index.value(head, RDF_REST)
            if item is None or following is None or head in seen:
                raise ValueError(f"{head} is no well-formed list")
            seen.add(head)
            items.append(item)
            head = following
        return items

    def _refuse_recursion(self) -> None:
        done: set[Term] = set()
        for start in self._refers:
            todo: list[tuple[Term, bool]] = [(start, False)]
            open_: set[Term] = set()
            while todo:
                node, leaving = todo.pop()
                if leaving:
                    open_.discard(node)
                    done.add(node)
                elif node in open_:
                    raise _refused(node, "a shape may not refer to itself")
                elif node not in done:
                    open_.add(node)
                    todo.append((node, True))
                    todo += ((inner, False) for inner in self._refers.get(node, ()))


def _refused(node: Term, why: str) -> ConfigError:
    name = local_name(lexical(node))
    return ConfigError(
        Finding("unsupported-shape", f"shape {name}: {why}", subject=lexical(node), remedy="change the shape")
    )
