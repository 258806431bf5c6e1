"""The closed vocabulary."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.graph import SourceGraph, check, infer
from tests.support.turtle import configuration


@pytest.mark.parametrize(
    ("text", "value", "suggestion"),
    [
        ("ex:a agw:routPath 1 .", "agw:routPath", "agw:routePath"),
        ("ex:a agw:RoutePath 1 .", "agw:RoutePath", "agw:routePath"),
        ("ex:a a agw:Rate_Limiter .", "agw:Rate_Limiter", "agw:RateLimiter"),
        ("ex:a a agw:route .", "agw:route", "agw:Route"),
        ("ex:a a agw:Zebra .", "agw:Zebra", None),
        ("ex:a rdfs:subClassOf agw:Rout .", "agw:Rout", "agw:Route"),
        ("agw:ours a agw:Timeout ; agw:timeoutSeconds 1 .", "agw:ours", None),
        ("ex:a agw:Route ex:b .", "agw:Route", "agw:hasRoute"),
        ("ex:a a agw:routePath .", "agw:routePath", "agw:Route"),
    ],
)
def test_unknown_terms(text: str, value: str, suggestion: str | None) -> None:
    report = check(infer(SourceGraph.parse(configuration(text), "shop.ttl")))
    found = [finding for finding in report.findings if finding.code == "unknown-term"]
    assert [(finding.value, finding.suggestion) for finding in found] == [(value, suggestion)]
    assert found[0].location is not None
    assert found[0].location.line == 7
    assert found[0].remedy


def test_terms_of_other_vocabularies_are_free() -> None:
    report = check(infer(SourceGraph.parse(configuration('ex:a rdfs:label "x" ; ex:anything ex:b .'))))
    assert report.findings == ()
