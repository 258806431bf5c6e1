"""The access log and tracing as Telemetry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Propagation, TraceFormat, Tracing
from tests.support.istio import objects, one
from tests.support.mesh_model import published
from tests.support.routes import EX, mesh, route


def test_a_gateway_that_logs_has_a_telemetry() -> None:
    assert objects(render(published(), "istio"), "Telemetry") == []
    spec = one(render(replace(published(), access_log=True), "istio"), "Telemetry")["spec"]
    assert spec["accessLogging"] == [{"providers": [{"name": "envoy"}]}]
    assert spec["selector"] == {"matchLabels": {"istio": "ingressgateway"}}


@pytest.mark.parametrize(
    ("form", "rate", "percent"), [("otlp", 0.25, 25.0), ("zipkin", 1.0, 100.0), ("otlp-grpc", 0.00001, 0.001)]
)
def test_a_share_of_the_requests_is_traced(form: str, rate: float, percent: float) -> None:
    tracing = Tracing(EX + "t", rate, format=TraceFormat(form), propagation=(Propagation.TRACE_CONTEXT,))
    rendering = render(mesh(route("a", "/a", tracing=tracing), route("b", "/b", tracing=tracing)), "istio")
    (told,) = one(rendering, "Telemetry")["spec"]["tracing"]
    assert told == {"providers": [{"name": f"agw-{form}"}], "randomSamplingPercentage": percent}
    assert any("extensionProviders" in finding.message for finding in rendering.report.findings)
    carried = [finding for finding in rendering.report.findings if "carries traces on" in finding.message]
    assert bool(carried) == (form == "zipkin")


def test_istio_traces_a_workload_as_a_whole() -> None:
    one_, other = Tracing(EX + "t"), Tracing(EX + "u", 0.5, parent_based=False)
    several = mesh(route("a", "/a", tracing=one_), route("b", "/b", tracing=other), route("c", "/c"))
    rendering = render(several, "istio", allow_loss=True)
    assert [loss.subject for loss in rendering.losses] == [EX + "b"]
    assert len(one(rendering, "Telemetry")["spec"]["tracing"]) == 1
    lossy = mesh(route("a", "/a", tracing=replace(one_, parent_based=False, sample_errors=True)))
    assert len(render(lossy, "istio", allow_loss=True).losses) == 2
