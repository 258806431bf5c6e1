"""Predicates of Gateway API, one a name."""

from __future__ import annotations

from api_gateway_service_mesh.graph.plain import documents
from api_gateway_service_mesh.importers.part import Findings, Part
from api_gateway_service_mesh.importers.predicate import tests as predicates
from api_gateway_service_mesh.model import ValueKind


def asked(text: str) -> tuple[list[tuple[str, ValueKind, str]] | None, list[str]]:
    findings = Findings()
    (document,) = documents("f.yaml", text)
    made = predicates(Part(findings, document, "match"), "headers", header=True)
    found = None if made is None else [(test.name, test.kind, test.value) for test in made]
    return found, [finding.message for finding in findings.close().findings]


def test_values_expressions_and_presence() -> None:
    made, said = asked(
        """\
headers:
  - {name: X-One, value: "1"}
  - {name: x-one, value: "2"}
  - {name: x-two, type: RegularExpression, value: a|b}
  - {name: x-three, type: RegularExpression, value: .*}
"""
    )
    assert made == [
        ("x-one", ValueKind.EXACT, "1"),
        ("x-two", ValueKind.REGULAR_EXPRESSION, "a|b"),
        ("x-three", ValueKind.PRESENT, ""),
    ]
    assert said == ["match: x-one stands twice; the first counts"]


def test_what_cannot_be_asked_leaves_the_match_out() -> None:
    made, said = asked("headers: [{name: x, type: RegularExpression, value: '(?=a)'}]\n")
    assert made is None
    assert said[0].startswith("match is not taken over: ")
