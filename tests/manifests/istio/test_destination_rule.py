"""DestinationRules: one a host, with breaker, balancer and TLS."""

from __future__ import annotations

from api_gateway_service_mesh.manifests import render
from tests.support.istio import objects, one
from tests.support.mesh_model import published, shop


def test_destination_rules() -> None:
    rules = {r["metadata"]["name"]: r["spec"] for r in objects(render(shop(), "istio"), "DestinationRule")}
    assert rules["payments"]["trafficPolicy"]["tls"] == {
        "mode": "MUTUAL",
        "credentialName": "client-cert",
        "sni": "payments.example",
        "subjectAltNames": ["payments.example"],
    }
    ports = rules["orders-v1"]["trafficPolicy"]["portLevelSettings"]  # two services on one host
    assert [(each["port"]["number"], each["tls"]["mode"]) for each in ports] == [(80, "ISTIO_MUTUAL"), (81, "DISABLE")]
    assert rules["search"]["trafficPolicy"]["loadBalancer"] == {"consistentHash": {"httpHeaderName": "x-user"}}
    assert rules["users"]["trafficPolicy"]["outlierDetection"]["interval"] == "2500ms"
    assert "consecutiveErrors" not in str(rules)


def test_the_published_shape() -> None:
    rendering = render(published(), "istio")
    rule = one(rendering, "DestinationRule")["spec"]
    assert rule["host"] == "products-service"
    assert rule["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == 100
    assert rule["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"] == 5
    assert rule["trafficPolicy"]["outlierDetection"]["baseEjectionTime"] == "30s"
    assert rule["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}
