"""Canaries that Flagger delivers: its ``Canary``, the route handed on to it, and what is reported as missing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.manifests import NotExpressibleError, Rendering, render
from api_gateway_service_mesh.model import Canary, CanaryStep, ConnectionPool, Endpoint, SplitTarget, Upstream
from tests.support.gateway import mesh_of, route, upstream
from tests.support.istio import objects, one

_CHECKER = Path(__file__).resolve().parents[4] / "shared" / "schemas" / "check.py"

PLAN = Canary(
    "urn:canary",
    (CanaryStep("urn:s1", 10, 60.0), CanaryStep("urn:s2", 50, 60.0)),
    max_error_rate=0.02,
    max_latency_seconds=0.25,
    percentile=99,
)


POLICY = {"connectionPool": {"http": {"idleTimeout": "60s"}}}


def placed(port: int, host: str, **more: Any) -> Upstream:
    return upstream(Endpoint(f"urn:{host}", host, port), **more)


def rendered(
    plan: Canary = PLAN,
    *,
    host: str = "orders.shop.svc",
    allow_loss: bool = True,
    service: dict[str, Any] | None = None,
    **options: Any,
) -> Rendering:
    """A route whose canary, and whose other side, are one Deployment of the cluster."""
    there = "urn:test:service"
    splits = (SplitTarget("urn:stable", there, 100), SplitTarget("urn:split", there, 0, canary=plan))
    mesh = mesh_of(route("/a", splits=splits), placed(80, host, **(service or {})))
    return render(mesh, "istio", allow_loss=allow_loss, **{"canary": "flagger", **options})


def lost(rendering: Rendering) -> set[str]:
    return {(finding.predicate or "").rpartition("#")[2] for finding in rendering.losses}


def told(rendering: Rendering) -> set[str]:
    return {(finding.predicate or "").rpartition("#")[2] for finding in rendering.report.findings}


def test_the_canary_of_flagger() -> None:
    """Field by field after Flagger's CRD (fluxcd/flagger, artifacts/flagger/crd.yaml, Apache-2.0)."""
    rendering = rendered(allow_loss=False)
    canary = one(rendering, "Canary")
    assert canary["apiVersion"] == "flagger.app/v1beta1"
    assert (canary["metadata"]["name"], canary["metadata"]["namespace"]) == ("orders", "shop")
    assert canary["metadata"]["annotations"]["agw.ggen.ai/routes"] == "urn:test:route"
    assert canary["spec"] == {
        "provider": "istio",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"},
        "service": {"port": 80, "delegation": True, "trafficPolicy": POLICY},
        "analysis": {
            "interval": "60s",
            "threshold": 1,
            "stepWeights": [10, 50],
            "metrics": [
                {"name": "request-success-rate", "thresholdRange": {"min": 98}, "interval": "60s"},
                {"name": "request-duration", "thresholdRange": {"max": 250}, "interval": "60s"},
            ],
        },
    }
    assert {"hasCanaryStep", "minimumStepRequests"} <= told(rendering)


def test_the_route_hands_its_requests_on() -> None:
    (http,) = one(rendered(), "VirtualService")["spec"]["http"]
    assert http["delegate"] == {"name": "orders", "namespace": "shop"}
    assert "route" not in http


def test_without_the_option_nothing_changes() -> None:
    rendering = rendered(canary=None)
    assert objects(rendering, "Canary") == []
    assert "hasCanaryStep" in lost(rendering)
    assert "delegate" not in one(rendering, "VirtualService")["spec"]["http"][0]


@pytest.mark.parametrize(
    ("changed", "term"),
    [
        ({"max_error_increase": 0.01}, "maximumErrorIncrease"),
        ({"max_latency_ratio": 2.0}, "maximumLatencyRatio"),
        ({"paused": True}, "paused"),
        ({"minimum_requests": 500}, "minimumStepRequests"),
        ({"steps": (CanaryStep("urn:s1", 10, 60.0), CanaryStep("urn:s2", 50, 90.0))}, "stepDuration"),
    ],
)
def test_what_flagger_cannot_say_is_refused(changed: dict[str, Any], term: str) -> None:
    plan = replace(PLAN, **changed)
    with pytest.raises(NotExpressibleError):
        rendered(plan, allow_loss=False)
    assert lost(rendered(plan)) == {term}


@pytest.mark.parametrize(
    ("changed", "term"),
    [
        ({"percentile": 95}, "latencyPercentile"),
        ({"rollout": "2.0.0"}, "rolloutName"),
        ({"steps": (CanaryStep("urn:s1", 10, 2.5),)}, "stepDuration"),
    ],
)
def test_what_flagger_does_otherwise_is_told(changed: dict[str, Any], term: str) -> None:
    assert term in told(rendered(replace(PLAN, **changed), allow_loss=False))


def test_steps_last_no_shorter_than_stated() -> None:
    def interval(*seconds: float) -> str:
        steps = tuple(CanaryStep(f"urn:s{number}", 10 + number, each) for number, each in enumerate(seconds))
        return str(one(rendered(replace(PLAN, steps=steps)), "Canary")["spec"]["analysis"]["interval"])

    assert interval(2.5) == "10s"
    assert interval(60.5) == "61s"
    assert interval(30, 600) == "600s"


def test_no_bounds_are_no_metrics() -> None:
    plan = replace(PLAN, max_error_rate=None, max_latency_seconds=None)
    assert "metrics" not in one(rendered(plan), "Canary")["spec"]["analysis"]


def test_a_service_outside_of_the_cluster_has_no_deployment() -> None:
    rendering = rendered(host="192.0.2.1")
    assert objects(rendering, "Canary") == []
    assert "hasCanaryStep" in lost(rendering)
    assert one(rendering, "VirtualService")["spec"]["http"][0]["route"]


def two(*plans: Canary) -> Rendering:
    """Routes to /0, /1 … of which each raises ``next`` beside ``service``."""
    routes = [
        route(
            f"/{number}",
            name=f"r{number}",
            splits=(
                SplitTarget(f"urn:a{number}", "urn:test:service", 100),
                SplitTarget(f"urn:b{number}", "urn:test:next", 0, canary=plan),
            ),
        )
        for number, plan in enumerate(plans)
    ]
    return render(
        mesh_of(tuple(routes), placed(80, "old"), placed(81, "new", name="next")),
        "istio",
        allow_loss=True,
        canary="flagger",
    )


def test_another_service_on_the_other_side_is_lost() -> None:
    rendering = two(PLAN)
    assert lost(rendering) == {"targetService"}
    assert one(rendering, "Canary")["metadata"]["name"] == "new"


def test_a_deployment_is_delivered_once() -> None:
    same = two(PLAN, replace(PLAN, iri="urn:other"))
    assert one(same, "Canary")["metadata"]["annotations"]["agw.ggen.ai/routes"].count("urn:") == 2
    other = two(PLAN, replace(PLAN, iri="urn:other", max_error_rate=0.5))
    assert len(objects(other, "Canary")) == 1
    assert "hasCanaryStep" in lost(other)
    first, second = one(other, "VirtualService")["spec"]["http"]
    assert sorted(("delegate" in first, "delegate" in second)) == [False, True]


@pytest.mark.skipif(not _CHECKER.is_file(), reason="the schemas of the official CRDs are not beside this checkout")
def test_the_official_schema_accepts_it(tmp_path: Path) -> None:
    for number, rendering in enumerate((rendered(), two(PLAN, PLAN))):
        for manifest in rendering:
            path = tmp_path / str(number) / manifest.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(manifest.text, encoding="utf-8")
    done = subprocess.run([sys.executable, str(_CHECKER), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_flagger_does_not_have_of_a_service_s_policy() -> None:
    assert lost(rendered(service={"pool": ConnectionPool(max_connections=7)})) == {"hasConnectionPool"}
    rendering = rendered(service={"pool": ConnectionPool(max_requests=9)}, allow_loss=False)
    pool = one(rendering, "Canary")["spec"]["service"]["trafficPolicy"]["connectionPool"]
    assert pool["http"]["http2MaxRequests"] == 9
