"""The constraint components of SHACL Core that agw's shapes may use (SHACL section 4), one class each.

A constraint is compiled once and asked for the *failures* among a focus node's value nodes. A failure
is a value, or None where the standard gives the result no ``sh:value`` (counts, `hasValue`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import re2
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from .terms import RDF_TYPE, SH, Term
from .values import compare, comparer, lexical_test

if TYPE_CHECKING:
    from .shacl import Run
    from .shapes import Shape

__all__ = [
    "ClassConstraint",
    "Constraint",
    "PairConstraint",
    "SetConstraint",
    "ShapeConstraint",
    "ValueConstraint",
    "class_constraint",
    "component",
    "conditions",
    "count_constraint",
    "has_value_constraint",
]


def component(parameter: str) -> NamedNode:
    """The component IRI that belongs to a parameter: ``minCount`` → ``sh:MinCountConstraintComponent``."""
    return NamedNode(f"{SH}{parameter[0].upper()}{parameter[1:]}ConstraintComponent")


class Constraint(Protocol):
    """One constraint of a shape. ``parameter`` holds the values the shape gives, for reports."""

    component: NamedNode
    parameter: tuple[Term, ...]

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        """The value nodes that break the constraint (None: the set as a whole does)."""


class ValueConstraint:
    """Holds for each value node by itself: datatype, nodeKind, ranges, lengths, pattern, in."""

    def __init__(self, name: str, parameter: tuple[Term, ...], holds: Callable[[Term], bool]) -> None:
        self.component = component(name)
        self.parameter = parameter
        self.holds = holds

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        holds = self.holds
        return [value for value in values if not holds(value)]


class SetConstraint:
    """Holds for the value nodes together: counts and hasValue. ``counts``: their number is all that matters."""

    def __init__(self, name: str, parameter: tuple[Term, ...], holds: Callable[[Sequence[Term]], bool]) -> None:
        self.component = component(name)
        self.parameter = parameter
        self.holds = holds
        self.counts = name != "hasValue"

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        return () if self.holds(values) else (None,)


class ClassConstraint:
    """``sh:class``: each value node is an instance of the class or of a subclass (in the data)."""

    def __init__(self, wanted: NamedNode) -> None:
        self.component = component("class")
        self.parameter: tuple[Term, ...] = (wanted,)
        self.wanted = wanted

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        accepted = run.classes(self.wanted)
        return [v for v in values if not any(kind in accepted for kind in run.index.values(v, RDF_TYPE))]


class PairConstraint:
    """``equals``, ``disjoint``, ``lessThan``, ``lessThanOrEquals``: value nodes against another property's."""

    def __init__(self, name: str, other: NamedNode) -> None:
        self.component = component(name)
        self.parameter: tuple[Term, ...] = (other,)
        self.other = other
        self._name = name

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        others = run.index.values(focus, self.other)
        if self._name == "equals":
            return [*(v for v in values if v not in others), *(other for other in others if other not in values)]
        if self._name == "disjoint":
            return [value for value in values if value in others]
        accepted = (-1,) if self._name == "lessThan" else (-1, 0)
        return [value for value in values if any(compare(value, other) not in accepted for other in others)]


class ShapeConstraint:
    """``node``, ``and``, ``or``, ``xone``, ``not``: each value node conforms to so many of the shapes."""

    def __init__(self, name: str, shapes: Sequence[Shape], parameter: tuple[Term, ...]) -> None:
        self.component = component(name)
        self.parameter = parameter
        self.shapes = shapes
        self.name = name

    def failures(self, run: Run, focus: Term, values: Sequence[Term]) -> Iterable[Term | None]:
        return [value for value in values if not self._holds(run, value)]

    def _holds(self, run: Run, value: Term) -> bool:
        verdicts = (run.conforms(shape, value) for shape in self.shapes)
        if self.name == "or":
            return any(verdicts)
        if self.name == "xone":
            return sum(verdicts) == 1
        if self.name == "not":
            return not any(verdicts)
        return all(verdicts)


def class_constraint(wanted: Term) -> Constraint:
    """`sh:class` (SHACL 4.1.1)."""
    if not isinstance(wanted, NamedNode):
        raise ValueError("sh:class takes an IRI")
    return ClassConstraint(wanted)


def count_constraint(name: str, bound: Term) -> Constraint:
    """`sh:minCount` and `sh:maxCount` (SHACL 4.2)."""
    number = int(_text(bound))
    return SetConstraint(
        name, (bound,), (lambda v: len(v) >= number) if name == "minCount" else (lambda v: len(v) <= number)
    )


def has_value_constraint(wanted: Term) -> Constraint:
    """`sh:hasValue` (SHACL 4.8.2)."""
    return SetConstraint("hasValue", (wanted,), lambda values: wanted in values)


def conditions(name: str, value: Term, flags: str = "") -> Callable[[Term], bool]:
    """The test of one value node for a parameter that looks at nothing else.

    Raises:
        ValueError: the parameter's value makes no sense (a pattern RE2 does not take, an unknown node kind).
    """
    if name == "datatype":
        return _datatype(value)
    if name == "nodeKind":
        return _node_kind(_text(value))
    if name == "pattern":
        return _pattern(_text(value), flags)
    if name in ("minLength", "maxLength"):
        number = int(_text(value))
        if name == "minLength":
            return lambda term: not isinstance(term, BlankNode) and len(_text(term)) >= number
        return lambda term: not isinstance(term, BlankNode) and len(_text(term)) <= number
    accepted = {"minInclusive": (0, 1), "minExclusive": (1,), "maxInclusive": (-1, 0), "maxExclusive": (-1,)}[name]
    against = comparer(value)
    return lambda term: against(term) in accepted


def _datatype(wanted: Term) -> Callable[[Term], bool]:
    valid = lexical_test(_text(wanted))
    if valid is None:
        return lambda term: isinstance(term, Literal) and term.datatype == wanted
    return lambda term: isinstance(term, Literal) and term.datatype == wanted and valid(term.value)


def _node_kind(kind: str) -> Callable[[Term], bool]:
    kinds: dict[str, tuple[type, ...]] = {
        "IRI": (NamedNode,),
        "BlankNode": (BlankNode,),
        "Literal": (Literal,),
        "BlankNodeOrIRI": (BlankNode, NamedNode),
        "BlankNodeOrLiteral": (BlankNode, Literal),
        "IRIOrLiteral": (NamedNode, Literal),
    }
    accepted = kinds.get(kind.removeprefix(SH))
    if accepted is None:
        raise ValueError(f"{kind} is no node kind")
    return lambda term: isinstance(term, accepted)


def _pattern(pattern: str, flags: str) -> Callable[[Term], bool]:
    unknown = set(flags) - set("ims")
    if unknown:
        raise ValueError(f"pattern flags {''.join(sorted(unknown))} are not supported")
    written = f"(?{flags}){pattern}" if flags else pattern
    try:
        search = re2.compile(written).search
        # A set of one answers yes or no, without a match object: five times as fast. It may give up where it would need
        # too much memory, which looks like a no; so a no is asked again.
        alone = re2.Set.SearchSet()
        alone.Add(written)
        alone.Compile()
    except re2.error as error:
        raise ValueError(f"pattern {pattern!r}: {error}") from None
    quick = alone.Match

    def holds(term: Term) -> bool:
        if isinstance(term, BlankNode | Triple):
            return False
        text = term.value
        return bool(quick(text)) or search(text) is not None

    return holds


def _text(term: Term) -> str:
    return "" if isinstance(term, Triple) else term.value
