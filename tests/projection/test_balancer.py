from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    HashAlgorithm,
    KeyKind,
    RequestKey,
    SameSite,
    StickyCookie,
)
from tests.support.configuration import EX, mesh_of


def test_balancers() -> None:
    first, second = mesh_of("""
        ex:a a agw:Route ; agw:routePath "/a" ; agw:hasLoadBalancer ex:x . ex:x a agw:LoadBalancer .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasLoadBalancer ex:y .
        ex:y a agw:LoadBalancer ; agw:balancingAlgorithm "CONSISTENT_HASH" ; agw:hashKey "client-address" .
    """).routes
    assert first.balancer == Balancer(EX + "x", Algorithm.ROUND_ROBIN)
    assert second.balancer == Balancer(EX + "y", Algorithm.CONSISTENT_HASH, RequestKey(KeyKind.CLIENT_ADDRESS))


def test_everything_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_STICKY", "x")
    (route,) = mesh_of("""ex:r a agw:Route ; agw:routePath "/r" ; agw:hasLoadBalancer ex:b .
        ex:b a agw:LoadBalancer ; agw:balancingAlgorithm "CONSISTENT_HASH" ; agw:hashKey "cookie:at" ;
        agw:hashAlgorithm "MAGLEV" ; agw:latencyDecay "PT5S"^^xsd:dayTimeDuration ;
        agw:slowStartWindow "PT30S"^^xsd:dayTimeDuration ; agw:slowStartAggression 1.5 ; agw:panicThreshold 30 ;
        agw:overprovisioningFactor 2 ; agw:stickyCookie "at" ; agw:stickyCookiePath "/shop" ;
        agw:stickyCookieLifetime "PT1H"^^xsd:dayTimeDuration ; agw:stickyCookieSameSite "Strict" ;
        agw:stickyCookieKeyRef "env:AGW_TEST_STICKY" .""").routes
    assert route.balancer == Balancer(
        EX + "b",
        Algorithm.CONSISTENT_HASH,
        RequestKey(KeyKind.COOKIE, "at"),
        HashAlgorithm.MAGLEV,
        latency_decay_seconds=5.0,
        slow_start_seconds=30.0,
        slow_start_aggression=1.5,
        panic_threshold=30,
        overprovisioning=2.0,
        sticky=StickyCookie("at", 3600.0, "/shop", SameSite.STRICT, "env:AGW_TEST_STICKY"),
    )
