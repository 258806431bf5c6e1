"""The gateway's Service, failure accrual, and who may call a service."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.model import MtlsMode, RateLimit
from tests.manifests.linkerd.test_route import made, objects
from tests.support.mesh_model import published
from tests.support.routes import EX


def test_a_breaker_is_failure_accrual_of_the_service() -> None:
    services = objects(made(published()), "Service")
    assert services["gateway"]["spec"]["ports"] == [{"name": "http-8080", "port": 8080, "protocol": "TCP"}]
    notes = services["products-service"]["metadata"]["annotations"]
    prefix = "balancer.linkerd.io/failure-accrual"
    assert notes[prefix] == "consecutive"
    assert notes[f"{prefix}-consecutive-max-failures"] == "5"
    assert notes[f"{prefix}-consecutive-min-penalty"] == "30s"


def test_a_strict_service_asks_for_an_identity_of_the_mesh() -> None:
    rendering = made(published())
    (server,) = objects(rendering, "Server").values()
    assert (server["spec"]["accessPolicy"], server["spec"]["port"]) == ("deny", 8080)
    (policy,) = objects(rendering, "AuthorizationPolicy").values()
    assert policy["spec"]["requiredAuthenticationRefs"][0]["kind"] == "MeshTLSAuthentication"
    (service,) = published().upstreams
    open_to_all = replace(published(), upstreams=(replace(service, mtls_mode=MtlsMode.PERMISSIVE),))
    networks = objects(made(open_to_all), "NetworkAuthentication")
    assert {"cidr": "::/0"} in next(iter(networks.values()))["spec"]["networks"]


def test_a_limit_of_all_routes_for_all_callers_is_a_policy_of_the_service() -> None:
    (one,) = published().routes
    limited = replace(published(), routes=(replace(one, rate_limits=(RateLimit(EX + "l", 50, 60),)),))
    (policy,) = objects(made(limited), "HTTPLocalRateLimitPolicy").values()
    assert policy["spec"]["total"] == {"requestsPerSecond": 50}
    assert objects(made(published()), "HTTPLocalRateLimitPolicy") == {}


def test_budgets_are_in_service_profiles() -> None:
    assert objects(made(published()), "ServiceProfile") == {}
    ((name, profile),) = objects(made(published(), profiles=True), "ServiceProfile").items()
    assert name == "products-service.shop.svc.cluster.local"
    assert profile["spec"]["retryBudget"] == {"retryRatio": 0.2, "minRetriesPerSecond": 3, "ttl": "10s"}
    assert all(route["isRetryable"] for route in profile["spec"]["routes"])
