from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.projection import ProjectedRows, assemble, project
from tests.support.configuration import assembled, parse

SHOP = """ex:g a agw:ApiGateway ; agw:hasListener ex:l ; agw:trustedProxy "10.0.0.0/8" . ex:l a agw:Listener ; agw:port 80 .
    ex:a a agw:Route ; agw:routePath "/a" ; agw:httpMethod "GET", "POST" ; agw:hostname "a.example.com" ;
      agw:hasBackendService ex:s ; agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 1 ] , ex:k .
    ex:k a agw:RateLimiter ; agw:requestsPerSecond 9 .
    ex:b a agw:Route ; agw:routePath "/b/*" ; agw:hasTrafficSplit ex:x, ex:y .
    ex:x a agw:TrafficSplit ; agw:weight 50 ; agw:targetService ex:s . ex:y a agw:TrafficSplit ; agw:weight 50 ; agw:targetService ex:t .
    ex:s a agw:BackendService ; agw:hasInstance [ agw:address "s1:80" ] , [ agw:address "s2:80" ] .
    ex:t a agw:UpstreamCluster ; agw:address "https://t:443" ."""


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_source_plays_no_part(shuffler: random.Random) -> None:
    source = parse(SHOP)
    triples = list(source.triples)
    shuffler.shuffle(triples)
    graph = infer(SourceGraph.of(triples))
    assert assemble(project(graph), graph).mesh == assembled(SHOP).mesh


def test_nothing_is_found_wrong_with_a_good_shop() -> None:
    assert assembled(SHOP).findings == ()


def test_no_rows_make_an_empty_model() -> None:
    mesh = assemble(ProjectedRows(), infer(parse("ex:x ex:y ex:z ."))).accepted()
    assert (mesh.routes, mesh.upstreams, mesh.listeners) == ((), (), ())


def test_all_that_is_wrong_is_found_at_once() -> None:
    found = assembled("""
        ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:gone ; agw:hasRateLimiter [ agw:requestsPerSecond "many" ] .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutDuration "P1Y" ] .
        ex:s a agw:BackendService ; agw:address "nowhere" .
        ex:c a agw:Certificate ; agw:certificateFile "gone.pem" .""")
    codes = {finding.code for finding in found.findings}
    assert codes >= {"dangling-reference", "invalid-value", "invalid-address", "certificate-file"}
    assert all(finding.location for finding in found.findings)


def test_a_doubled_single_value_does_not_double_the_route() -> None:
    """SHACL refuses it; the stages behind go on all the same, to find more."""
    mesh = assembled('ex:a a agw:Route ; agw:routePath "/a", "/b" ; agw:priority 1, 2 .').mesh
    assert [route.match.path.text for route in mesh.routes] == ["/a"]
