"""What is said of balancing and health, with the triples it rests on."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    CheckProtocol,
    HashAlgorithm,
    HealthCheck,
    KeyKind,
    OutlierDetection,
    PathKind,
    PathMatch,
    RequestKey,
    Route,
    RouteMatch,
    SameSite,
    StickyCookie,
    Upstream,
)
from api_gateway_service_mesh.routing.balance import balancer_part, health_parts, subset_part
from api_gateway_service_mesh.routing.part import Part

ROUTE = Route("ex:r", "r", RouteMatch(PathMatch(PathKind.EXACT, "/")))


def terms(part: Part) -> set[str]:
    return {citation.predicate.rpartition("#")[2] for citation in part.citations}


def test_defaults_are_not_cited() -> None:
    part = balancer_part(ROUTE, Balancer("ex:b", Algorithm.EWMA))
    assert (part.text, terms(part)) == ("EWMA", {"hasLoadBalancer", "balancingAlgorithm"})


def test_a_balancer_with_everything() -> None:
    sticky = StickyCookie("at", 3600.0, "/shop", SameSite.STRICT)
    key = RequestKey(KeyKind.COOKIE, "at")
    part = balancer_part(
        ROUTE, Balancer("ex:b", Algorithm.CONSISTENT_HASH, key, HashAlgorithm.MAGLEV, 5.0, 30.0, 2.0, 0, 2.0, sticky)
    )
    assert part.text == ("CONSISTENT_HASH by cookie:at (MAGLEV), slow start over 30 s, no panic, sticky by cookie at")
    assert {"hashAlgorithm", "overprovisioningFactor", "panicThreshold", "stickyCookieSameSite"} <= terms(part)


def test_health_of_an_upstream() -> None:
    upstream = Upstream(
        "ex:u",
        "u",
        health=HealthCheck("ex:ready", path="/readyz", statuses=("204",)),
        liveness=HealthCheck("ex:live", protocol=CheckProtocol.TCP),
        startup=HealthCheck("ex:start", protocol=CheckProtocol.GRPC, grpc_service="shop"),
        outlier=OutlierDetection("ex:o", consecutive_gateway_errors=3, success_rate_factor=1.9, failure_percentage=80),
    )
    assert [part.text for part in health_parts(upstream)] == [
        "readiness: GET /readyz every 10 s",
        "liveness: a connection every 10 s",
        "startup: gRPC health shop every 10 s",
        "out for 30 s after 5 server errors in a row or 3 gateway errors in a row or a success rate 1.9 deviations below "
        "the mean or 80 % failures",
    ]
    assert terms(health_parts(upstream)[0]) == {"hasHealthCheck", "healthCheckPath", "expectedStatus"}


def test_a_subset() -> None:
    part = subset_part("ex:r", ("big", "version=v2"))
    assert (part.text, terms(part)) == ("only instances with big and version=v2", {"selectsLabel"})
