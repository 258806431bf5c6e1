from __future__ import annotations

import json

import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, Mesh, PathKind, PathMatch, Retry, Route, RouteMatch
from api_gateway_service_mesh.model.codec import decode, encode, shown
from tests.support.configuration import mesh_of

SHOP = """ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 80 ] ; agw:trustedProxy "10.0.0.0/8" .
    ex:a a agw:Route ; agw:routePath "/a" ; agw:httpMethod "GET" ; agw:hasTrafficSplit ex:x ; agw:priority 1 ;
      agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 2.5 ; agw:limitKey "header:X-A" ] ;
      agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "x" ; agw:valueMatchType "Present" ] ;
      agw:hasRetryPolicy [ a agw:RetryPolicy ; agw:retryOn "5xx", "reset" ] ; agw:hasCircuitBreaker [ a agw:CircuitBreaker ] ;
      agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 3 ] ; agw:hasLoadBalancer [ a agw:LoadBalancer ] .
    ex:x a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:s .
    ex:s a agw:BackendService ; agw:address "https://s:443" ; agw:hasHealthCheck [ a agw:HealthCheck ] ; agw:hasServiceMesh ex:m .
    ex:m a agw:ServiceMesh ; agw:meshType "istio" ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "STRICT" ] ."""


def test_a_model_survives_json() -> None:
    mesh = mesh_of(SHOP)
    assert decode(Mesh, json.loads(json.dumps(encode(mesh)))) == mesh


def test_whole_seconds_in_json_are_floats_again() -> None:
    retry = decode(Retry, {"iri": "urn:r", "multiplier": 2, "conditions": ["5xx"]})
    assert isinstance(retry.multiplier, float)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", "written as an object"),
        ({"iri": "r"}, "missing"),
        ({"iri": "r", "name": "r", "match": {"path": {"kind": "Exact", "text": "/"}}, "colour": "red"}, "no colour"),
        ({"iri": 5, "name": "r", "match": {"path": {"kind": "Exact", "text": "/"}}}, "Route.iri is 5"),
        ({"iri": "r", "name": "r", "match": {"path": {"kind": "Exakt", "text": "/"}}}, "Exakt"),
        (
            {"iri": "r", "name": "r", "match": {"path": {"kind": "Exact", "text": "/"}}, "splits": {}},
            "written as a list",
        ),
    ],
)
def test_what_is_no_model_is_a_sentence(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode(Route, value)


def test_sets_are_sorted() -> None:
    route = Route("r", "r", RouteMatch(PathMatch(PathKind.EXACT, "/")), retry=Retry("y"))
    assert encode(route)["retry"]["conditions"] == ["connect-failure", "gateway-error", "reset", "timeout"]


def test_what_is_shown_has_no_hash_in_it() -> None:
    key = ApiKey("k", ("ab" * 32, "cd" * 32), owner="acme")
    route = Route("r", "r", RouteMatch(PathMatch(PathKind.EXACT, "/")), authentication=Authentication("r", (), (key,)))
    mesh = Mesh("g", "g", (route,))
    assert decode(Mesh, json.loads(json.dumps(encode(mesh)))) == mesh
    text = json.dumps(shown(mesh))
    assert "ab" * 32 not in text and "cd" * 32 not in text and "acme" in text
