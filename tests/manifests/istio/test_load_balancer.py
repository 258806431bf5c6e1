"""Balancing and outlier detection in DestinationRules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Endpoint,
    HashAlgorithm,
    KeyKind,
    Mesh,
    OutlierDetection,
    RequestKey,
    Route,
    StickyCookie,
    Upstream,
)
from tests.support.istio import objects
from tests.support.routes import EX, mesh, route

SERVICE = Upstream(
    EX + "s", "ex:s", (Endpoint(EX + "a", "a", 80, zone="west"), Endpoint(EX + "b", "b", 80, zone="east"))
)
PLAIN = Balancer(EX + "b")


def rendered(*routes: Route, service: Upstream = SERVICE, zone: str | None = None) -> tuple[dict[str, Any], set[str]]:
    """The policy of the service, and the terms of which something is lost or different."""
    made: Mesh = replace(mesh(*routes, upstreams=(service,)), zone=zone)
    rendering = render(made, "istio", allow_loss=True)
    (rule,) = objects(rendering, "DestinationRule")
    return rule["spec"]["trafficPolicy"], {
        finding.predicate.rpartition("#")[2] for finding in rendering.report.findings if finding.predicate is not None
    }


@pytest.mark.parametrize("algorithm", [each for each in Algorithm if each is not Algorithm.CONSISTENT_HASH])
def test_every_algorithm_has_a_word_in_istio(algorithm: Algorithm) -> None:
    policy, gaps = rendered(route("r", "/", upstream=SERVICE.iri, balancer=replace(PLAIN, algorithm=algorithm)))
    assert policy["loadBalancer"]["simple"] in {"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"}
    assert ("balancingAlgorithm" in gaps) is (algorithm is Algorithm.EWMA)


@pytest.mark.parametrize(
    ("balancer", "made"),
    [
        (
            replace(
                PLAIN,
                algorithm=Algorithm.CONSISTENT_HASH,
                hash_key=RequestKey(KeyKind.COOKIE, "at"),
                hash_algorithm=HashAlgorithm.MAGLEV,
            ),
            {"consistentHash": {"httpCookie": {"name": "at", "ttl": "0s"}, "maglev": {}}},
        ),
        (
            replace(PLAIN, sticky=StickyCookie("at", 60.0, "/shop")),
            {"consistentHash": {"httpCookie": {"name": "at", "path": "/shop", "ttl": "60s"}}},
        ),
        (
            replace(PLAIN, slow_start_seconds=30.0, slow_start_aggression=2.0),
            {"simple": "ROUND_ROBIN", "warmup": {"duration": "30s", "minimumPercent": 10, "aggression": 2.0}},
        ),
    ],
)
def test_what_istio_can_say(balancer: Balancer, made: dict[str, Any]) -> None:
    policy, _ = rendered(route("r", "/", upstream=SERVICE.iri, balancer=balancer))
    assert policy["loadBalancer"] == made


def test_what_it_cannot_is_told() -> None:
    hashed = replace(PLAIN, algorithm=Algorithm.CONSISTENT_HASH, hash_key=RequestKey(KeyKind.CLAIM, "sub"))
    policy, gaps = rendered(route("r", "/", upstream=SERVICE.iri, balancer=hashed, subset=("version=v2",)), zone="west")
    assert policy["loadBalancer"] == {"localityLbSetting": {"enabled": True}}
    assert {"hashKey", "selectsLabel", "zone"} <= gaps


def test_outlier_detection_and_the_panic_threshold() -> None:
    service = replace(SERVICE, outlier=OutlierDetection(EX + "o", 3, 2, failure_percentage=80))
    calm = replace(PLAIN, panic_threshold=30)
    policy, gaps = rendered(route("r", "/", upstream=SERVICE.iri, balancer=calm), service=service)
    assert policy["outlierDetection"] == {
        "consecutive5xxErrors": 3,
        "consecutiveGatewayErrors": 2,
        "interval": "10s",
        "baseEjectionTime": "30s",
        "maxEjectionPercent": 50,
        "minHealthPercent": 30,
    }
    assert "hasOutlierDetection" in gaps
