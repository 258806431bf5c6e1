"""What nobody asked for is reported."""

from __future__ import annotations

from api_gateway_service_mesh.graph.plain import documents
from api_gateway_service_mesh.importers.part import NOT_IMPORTED, Findings, Part


def part(text: str) -> tuple[Findings, Part]:
    findings = Findings()
    (document,) = documents("f.yaml", text)
    return findings, Part(findings, document, "Thing x")


def said(findings: Findings) -> list[str]:
    return [f"{finding.location} {finding.code} {finding.message}" for finding in findings.close().findings]


def test_unread_keys_are_reported_where_they_stand() -> None:
    findings, made = part("a: 1\nb: {c: 2, d: {}}\ne: []\nf: 3\n")
    assert made.integer("a") == 1
    inner = made.part("b")
    assert inner is not None
    made.ignore("f")
    assert said(findings) == [f"f.yaml:2:5 {NOT_IMPORTED} Thing x.b: c has no counterpart here"]


def test_values_of_another_kind_are_reported_and_nothing() -> None:
    findings, made = part("a: x\nb: 1\nc: [1, {}]\nd: {}\ne: '15'\nf: 2.0\ng: true\n")
    assert made.integer("a") is None and made.part("b") is None and made.parts("d") == []
    assert made.texts("c") == ["1"] and made.integer("e") == 15 and made.integer("f") == 2
    assert made.flag("g") is True and made.text("g") == "true" and made.number("b") == 1.0
    assert [line.split(" ")[0] for line in said(findings)] == ["f.yaml:1:1", "f.yaml:2:1", "f.yaml:3:8", "f.yaml:4:1"]
