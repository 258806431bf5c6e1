"""DestinationRules: one a host, with breaker, balancer and TLS."""

from __future__ import annotations

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Breaker, ConnectionPool, Endpoint, Upstream
from tests.support.istio import objects, one
from tests.support.mesh_model import published, shop
from tests.support.routes import EX, mesh, route


def test_destination_rules() -> None:
    rules = {
        r["metadata"]["name"]: r["spec"] for r in objects(render(shop(), "istio", allow_loss=True), "DestinationRule")
    }
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
    rendering = render(published(), "istio", allow_loss=True)
    rule = one(rendering, "DestinationRule")["spec"]
    assert rule["host"] == "products-service"
    assert rule["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == 100
    assert rule["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"] == 5
    assert rule["trafficPolicy"]["outlierDetection"]["baseEjectionTime"] == "30s"
    assert rule["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}


def test_bounds_and_what_istio_cannot_say_of_a_breaker() -> None:
    pool = ConnectionPool(
        EX + "p",
        max_pending_requests=9,
        queue_timeout_seconds=1.0,
        max_requests_per_connection=5,
        max_requests=7,
        max_concurrent_retries=0,
    )
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "s", "s", 80),), pool=pool)
    gateway_errors = Breaker(EX + "b", 3, failure_rate=50.0, failure_statuses=(502, 503, 504))
    chosen = Breaker(EX + "b", 3, failure_statuses=(429,))
    for breaker, counted, gaps in (
        (gateway_errors, "consecutiveGatewayErrors", {"queueTimeout", "breakerWindow", "halfOpenRequests"}),
        (chosen, "consecutive5xxErrors", {"queueTimeout", "failureStatus", "halfOpenRequests"}),
    ):
        rendering = render(
            mesh(route("r", "/", upstream=service.iri, breaker=breaker), upstreams=(service,)), "istio", allow_loss=True
        )
        (rule,) = objects(rendering, "DestinationRule")
        policy = rule["spec"]["trafficPolicy"]
        assert policy["connectionPool"]["http"] == {
            "idleTimeout": "60s",
            "http1MaxPendingRequests": 9,
            "http2MaxRequests": 7,
            "maxRequestsPerConnection": 5,
            "maxRetries": 0,
        }
        assert policy["outlierDetection"][counted] == 3
        said = {(finding.predicate or "").rpartition("#")[2] for finding in rendering.report.findings}
        assert gaps <= said
