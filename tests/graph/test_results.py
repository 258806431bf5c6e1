"""The validation report as triples (SHACL section 3.6)."""

from __future__ import annotations

from pyoxigraph import Literal, NamedNode, RdfFormat, serialize

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph.constraints import component
from api_gateway_service_mesh.graph.results import PropertyPath, ValidationResult, report_triples

EX = "https://example.com/"


def test_a_report_that_conforms() -> None:
    text = serialize(report_triples([]), format=RdfFormat.N_TRIPLES) or b""
    assert b'conforms> "true"^^' in text
    assert b"result" not in text.replace(b"ValidationReport", b"")


def test_a_result_has_all_its_parts() -> None:
    path = PropertyPath(NamedNode(EX + "p"), inverse=True)
    result = ValidationResult(
        NamedNode(EX + "a"), component("class"), NamedNode(EX + "S"), Severity.WARNING, "not so", path, Literal(5)
    )
    text = (
        serialize(report_triples([result]), format=RdfFormat.TURTLE, prefixes={"sh": "http://www.w3.org/ns/shacl#"})
        or b""
    ).decode()
    for part in ('sh:conforms false', "sh:resultSeverity sh:Warning", "sh:sourceConstraintComponent sh:ClassConstraintComponent",
                 'sh:resultMessage "not so"', "sh:value 5", f"sh:inversePath <{EX}p>", f"sh:focusNode <{EX}a>"):  # fmt: skip
        assert part in text.replace('"false"^^<http://www.w3.org/2001/XMLSchema#boolean>', "false").replace(
            '"5"^^<http://www.w3.org/2001/XMLSchema#integer>', "5"
        ), text
