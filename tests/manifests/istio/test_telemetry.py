"""The access log as Telemetry."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.manifests import render
from tests.support.istio import objects, one
from tests.support.mesh_model import published


def test_a_gateway_that_logs_has_a_telemetry() -> None:
    assert objects(render(published(), "istio"), "Telemetry") == []
    spec = one(render(replace(published(), access_log=True), "istio"), "Telemetry")["spec"]
    assert spec["accessLogging"] == [{"providers": [{"name": "envoy"}]}]
    assert spec["selector"] == {"matchLabels": {"istio": "ingressgateway"}}
