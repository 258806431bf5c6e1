"""Caches from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import Cache, CachePurge, RedisStore
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasCache ex:c .
ex:c a agw:Cache """


def test_all_that_it_says() -> None:
    (route,) = mesh_of(TEXT + ".").routes
    assert route.cache == Cache(EX + "c")
    (route,) = mesh_of(
        TEXT
        + """; agw:cacheBytes 100000 ; agw:cacheObjectBytes 1000 ;
        agw:defaultFreshness "PT1M"^^xsd:dayTimeDuration ; agw:maximumFreshness "PT1H"^^xsd:dayTimeDuration ;
        agw:heuristicFreshness true ; agw:staleWhileRevalidate "PT2S"^^xsd:dayTimeDuration ;
        agw:staleIfError "PT3S"^^xsd:dayTimeDuration ; agw:keyedField "x-b" , "x-a" ;
        agw:collapseTimeout "PT0S"^^xsd:dayTimeDuration ; agw:heedsRequestDirectives false ;
        agw:showsCacheStatus false ; agw:hidesCacheTags false ;
        agw:hasPurge ex:one , ex:two .
        ex:one a agw:CachePurge ; agw:purgedBefore "2026-01-01T00:00:00Z"^^xsd:dateTime ; agw:purgesTag "t" .
        ex:two a agw:CachePurge ; agw:purgedBefore "2026-01-01T01:00:00+01:00"^^xsd:dateTime ; agw:purgesUrl "http://a/b" ."""
    ).routes
    moment = 1767225600.0
    assert route.cache == Cache(
        EX + "c", 100_000, 1000, 60.0, 3600.0, True, 2.0, 3.0, ("x-a", "x-b"), 0.0, False, False, False,
        purges=(CachePurge(EX + "one", moment, tag="t"), CachePurge(EX + "two", moment, url="http://a/b")),
    )  # fmt: skip


def test_a_store_that_gateways_share() -> None:
    (route,) = mesh_of(
        TEXT + '; agw:sharedThrough ex:redis . ex:redis a agw:RedisStore ; agw:storeAddress "r:1" .'
    ).routes
    assert route.cache == Cache(EX + "c", store=RedisStore(EX + "redis", "r", 1))
    assert route.shared_stores == (RedisStore(EX + "redis", "r", 1),)


def test_a_class_of_routes_hands_it_down() -> None:
    (route,) = mesh_of(
        """ex:s a agw:BackendService ; agw:address "s:80" .
        ex:Kept rdfs:subClassOf agw:Route ; agw:hasCache ex:c . ex:c a agw:Cache .
        ex:r a ex:Kept ; agw:routePath "/a" ; agw:hasBackendService ex:s ."""
    ).routes
    assert route.cache == Cache(EX + "c")
