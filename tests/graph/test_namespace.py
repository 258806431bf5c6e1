"""A namespace that is nearly the ontology's."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import SourceGraph, check, infer

ROUTE = '\n@prefix ex: <http://example.org/> .\nex:r a agw:Route ; agw:routePath "/a" .\n'
RIGHT = "https://ggen.ai/ontology/api-gateway#"


@pytest.mark.parametrize(
    "iri",
    [
        "http://ggen.ai/ontology/api-gateway#",
        "https://ggen.ai/ontology/api-gateway",
        "https://ggen.ai/ontology/api-gateway/",
        "https://ggen.ai/ontology/api_gateway#",
        "https://GGEN.ai/ontology/api-gateway#",
    ],
)
def test_a_near_miss_is_refused_where_it_is_declared(iri: str) -> None:
    report = check(infer(SourceGraph.parse(f"# mine\n@prefix agw: <{iri}> ." + ROUTE, "shop.ttl")))
    (finding,) = report.violations
    assert finding.code == "misspelt-namespace"
    assert str(finding.location) == "shop.ttl:2:14"
    assert finding.suggestion == f"<{RIGHT}>"
    assert dict(finding.details)["source"] == f"@prefix agw: <{iri}> ."


def test_agw_for_something_else_is_a_warning() -> None:
    report = check(infer(SourceGraph.parse("@prefix agw: <http://example.org/agw#> ." + ROUTE)))
    assert [(f.code, f.severity) for f in report.findings] == [("misspelt-namespace", Severity.WARNING)]


def test_any_prefix_may_stand_for_the_namespace() -> None:
    text = f"@prefix gw: <{RIGHT}> . @prefix agw: <http://example.org/agw#> . @prefix more: <{RIGHT[:-1]}-ext#> .\n"
    report = check(infer(SourceGraph.parse(text + "@prefix ex: <http://example.org/> . ex:a agw:mine ex:b .")))
    assert report.findings == ()
