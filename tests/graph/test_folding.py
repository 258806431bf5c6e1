"""One finding a cause."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.graph import SourceGraph, check, infer
from tests.support.turtle import configuration

BACKEND = 'ex:b a agw:BackendService ; agw:address "b:80" .\n'

CASES = {
    "a misspelt property hides that the right one is missing": (
        'ex:r a agw:Route ; agw:routPath "/x" ; agw:hasBackendService ex:b .' + BACKEND,
        ["unknown-term"],
    ),
    "a misspelt class hides all that needs the class": (
        'ex:g a agw:ApiGateway ; agw:hasRoute ex:r . ex:r a agw:Rout ; agw:routePath "/x" ; agw:hasBackendService ex:b .'
        + BACKEND,
        ["unknown-term"],
    ),
    "an untyped subject is said once": (
        'ex:r agw:routePath "/x" ; agw:httpMethod "GET" ; agw:hasBackendService ex:b .' + BACKEND,
        ["route-home"],
    ),
    "a wrong datatype hides the range": (
        'ex:l a agw:RateLimiter ; agw:requestsPerSecond "-5" .',
        ["datatype"],
    ),
    "two faults stay two": (
        "ex:l a agw:RateLimiter ; agw:requestsPerSecond -5 ; agw:burstSize 0 .",
        ["min-inclusive", "min-inclusive"],
    ),
    "a reference to nothing": (
        'ex:r a agw:Route ; agw:routePath "/x" ; agw:hasBackendService ex:c .' + BACKEND,
        ["undefined-reference"],
    ),
    "a reference to something else": (
        'ex:r a agw:Route ; agw:routePath "/x" ; agw:hasBackendService ex:b ; agw:hasRateLimiter ex:b .' + BACKEND,
        ["wrong-class"],
    ),
    "text where a node belongs": (
        'ex:r a agw:Route ; agw:routePath "/x" ; agw:hasBackendService "b:80" .',
        ["wrong-class"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_finding_a_cause(case: str) -> None:
    text, codes = CASES[case]
    report = check(infer(SourceGraph.parse(configuration(text))))
    assert [finding.code for finding in report.violations] == codes
