from __future__ import annotations

from api_gateway_service_mesh.model import Algorithm, Balancer, KeyKind, RequestKey
from tests.support.configuration import EX, mesh_of


def test_balancers() -> None:
    first, second = mesh_of("""
        ex:a a agw:Route ; agw:routePath "/a" ; agw:hasLoadBalancer ex:x . ex:x a agw:LoadBalancer .
        ex:b a agw:Route ; agw:routePath "/b" ; agw:hasLoadBalancer ex:y .
        ex:y a agw:LoadBalancer ; agw:balancingAlgorithm "CONSISTENT_HASH" ; agw:hashKey "client-address" .
    """).routes
    assert first.balancer == Balancer(EX + "x", Algorithm.ROUND_ROBIN)
    assert second.balancer == Balancer(EX + "y", Algorithm.CONSISTENT_HASH, RequestKey(KeyKind.CLIENT_ADDRESS))
