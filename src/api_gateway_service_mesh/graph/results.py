"""What SHACL validation finds, typed, and as the ``sh:ValidationReport`` that the standard describes (section 3.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from api_gateway_service_mesh.errors import Finding, Severity

from .terms import CONFIG_GRAPH, RDF_TYPE, SH, XSD, Resource, Term

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


def report_triples(results: Iterable[ValidationResult], findings: Iterable[Finding] = ()) -> list[Triple]:
    """The triples of a ``sh:ValidationReport`` with these results, and with `findings` of checks that are no shapes
    (their component is ``urn:agw:check:`` and the finding's code)."""

    def sh(name: str) -> NamedNode:
        return NamedNode(SH + name)

    report = BlankNode("report")
    found, others = list(results), list(findings)
    conforms = "false" if found or others else "true"
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
    for number, finding in enumerate(others, len(found)):
        triples += _of_finding(report, BlankNode(f"result{number}"), finding)
    return triples


def _of_finding(report: BlankNode, node: BlankNode, finding: Finding) -> list[Triple]:
    message = f"{finding.message}. Remedy: {finding.remedy}" if finding.remedy else finding.message
    triples = [
        Triple(report, NamedNode(SH + "result"), node),
        Triple(node, RDF_TYPE, NamedNode(SH + "ValidationResult")),
        Triple(node, NamedNode(SH + "focusNode"), _node(finding.subject) or CONFIG_GRAPH),
        Triple(node, NamedNode(SH + "resultSeverity"), _IRIS[finding.severity]),
        Triple(node, NamedNode(SH + "sourceConstraintComponent"), NamedNode(f"urn:agw:check:{finding.code}")),
        Triple(node, NamedNode(SH + "resultMessage"), Literal(message)),
    ]
    path = _node(finding.predicate)
    if path is not None:
        triples.append(Triple(node, NamedNode(SH + "resultPath"), path))
    if finding.value is not None:
        triples.append(Triple(node, NamedNode(SH + "value"), Literal(finding.value)))
    return triples


def _node(iri: str | None) -> NamedNode | None:
    try:
        return NamedNode(iri) if iri else None
    except ValueError:
        return None
