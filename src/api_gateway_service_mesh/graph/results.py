"""What SHACL validation finds, typed, and as the ``sh:ValidationReport`` that the standard describes (section 3.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from api_gateway_service_mesh.errors import Severity

from .terms import RDF_TYPE, SH, XSD, Resource, Term

__all__ = ["SEVERITIES", "PropertyPath", "ValidationResult", "report_triples"]

SEVERITIES = {SH + "Violation": Severity.VIOLATION, SH + "Warning": Severity.WARNING, SH + "Info": Severity.INFO}
_IRIS = {severity: NamedNode(iri) for iri, severity in SEVERITIES.items()}


@dataclass(frozen=True, slots=True)
class PropertyPath:
    """A predicate, walked forwards, or backwards when ``inverse``."""

    predicate: NamedNode
    inverse: bool = False

    def __str__(self) -> str:
        return f"^{self.predicate}" if self.inverse else str(self.predicate)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """One failed constraint on one focus node.

    ``component`` is a constraint component (``sh:MinCountConstraintComponent``); ``parameter`` what the shape demands
    (the bound, the class, the pattern …); ``constraint`` the node of a ``sh:sparql``.
    """

    focus: Term
    component: NamedNode
    shape: Resource
    severity: Severity
    message: str
    path: PropertyPath | None = None
    value: Term | None = None
    parameter: tuple[Term, ...] = ()
    constraint: Resource | None = None


def report_triples(results: Iterable[ValidationResult]) -> list[Triple]:
    """The triples of a ``sh:ValidationReport`` with these results."""

    def sh(name: str) -> NamedNode:
        return NamedNode(SH + name)

    report = BlankNode("report")
    found = list(results)
    conforms = "false" if found else "true"
    triples = [
        Triple(report, RDF_TYPE, sh("ValidationReport")),
        Triple(report, sh("conforms"), Literal(conforms, datatype=NamedNode(XSD + "boolean"))),
    ]
    for number, result in enumerate(found):
        node = BlankNode(f"result{number}")
        triples += (
            Triple(report, sh("result"), node),
            Triple(node, RDF_TYPE, sh("ValidationResult")),
            Triple(node, sh("focusNode"), result.focus),
            Triple(node, sh("resultSeverity"), _IRIS[result.severity]),
            Triple(node, sh("sourceConstraintComponent"), result.component),
            Triple(node, sh("sourceShape"), result.shape),
            Triple(node, sh("resultMessage"), Literal(result.message)),
        )
        if result.path and not result.path.inverse:
            triples.append(Triple(node, sh("resultPath"), result.path.predicate))
        elif result.path:
            path = BlankNode(f"path{number}")
            triples += (
                Triple(node, sh("resultPath"), path),
                Triple(path, sh("inversePath"), result.path.predicate),
            )
        if result.value is not None:
            triples.append(Triple(node, sh("value"), result.value))
        if result.constraint is not None:
            triples.append(Triple(node, sh("sourceConstraint"), result.constraint))
    return triples
