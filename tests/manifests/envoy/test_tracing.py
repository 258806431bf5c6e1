"""Traces as Envoy makes them: a real one, whose spans a collector gets; and what it cannot say."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api_gateway_service_mesh.control.xds.encode import goal_of
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.envoy import resources
from api_gateway_service_mesh.model import Endpoint, Mesh, Propagation, TraceFormat, Tracing, Upstream
from tests.parity.running import ENVOY, envoy_of
from tests.peers.backend import Backend, Call, backend
from tests.support.routes import EX, mesh, route

needs_envoy = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")


def traced(port: int, collector: str | None, **more: object) -> Mesh:
    tracing = Tracing(EX + "t", collector=collector, service="shop", **more)  # type: ignore[arg-type]
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "s", "127.0.0.1", port),))
    routes = (
        route("a", "/a", upstream=service.iri, tracing=tracing),
        route("never", "/never", upstream=service.iri, tracing=replace(tracing, iri=EX + "n", sampling_rate=0.0)),
        route("b", "/b", upstream=service.iri),
    )
    return mesh(*routes, upstreams=(service,))


async def good(_: Backend, call: Call) -> None:
    call.answer(keep=True)


@needs_envoy
@pytest.mark.parametrize(("form", "path"), [("otlp", "/v1/traces"), ("zipkin", "/api/v2/spans")])
async def test_a_collector_gets_the_spans_of_what_is_traced(form: str, path: str, tmp_path: Path) -> None:
    sent: list[tuple[str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        sent.append((request.path, await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    async with backend(good) as service, TestServer(app, host="127.0.0.1") as collector:
        of = traced(service.port, f"http://127.0.0.1:{collector.port}{path}", format=TraceFormat(form))
        async with envoy_of(of, tmp_path) as port, aiohttp.ClientSession() as session:
            for asked in ("/b", "/never", "/a"):
                async with session.get(f"http://127.0.0.1:{port}{asked}") as answer:
                    assert answer.status == 200
            field = "traceparent" if form == "otlp" else "x-b3-traceid"
            trace = service.calls[2].fields[field].removeprefix("00-")[:32]
            async with asyncio.timeout(40):
                while not sent:
                    await asyncio.sleep(0.05)
    where, body = sent[0]
    assert where == path
    if form == "otlp":
        assert b"shop" in body and bytes.fromhex(trace) in body
    else:
        assert {span["traceId"] for span in json.loads(body)} == {trace}


def test_the_messages_are_known_to_xds() -> None:
    pytest.importorskip("xds")
    for form in TraceFormat:
        assert goal_of(resources(traced(80, "https://collector.example/spans", format=form)), 1)


def test_a_secure_collector_is_verified() -> None:
    made = resources(traced(80, "https://collector.example/v1/traces"))
    socket = made.clusters["agw.traces"]["transport_socket"]["typed_config"]
    assert socket["sni"] == "collector.example" and "validation_context" in socket["common_tls_context"]
    place = made.clusters["agw.traces"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    assert place["socket_address"]["port_value"] == 443


def test_a_collector_that_speaks_grpc_is_spoken_to_over_http_2() -> None:
    made = resources(traced(80, "https://collector.example", format=TraceFormat.OTLP_GRPC))
    cluster = made.clusters["agw.traces"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}
    assert cluster["transport_socket"]["typed_config"]["common_tls_context"]["alpn_protocols"] == ["h2"]
    assert '"envoy_grpc": {"cluster_name": "agw.traces"}' in json.dumps(made.listeners)


def test_without_a_collector_no_trace_begins() -> None:
    made = resources(traced(80, None))
    assert "agw.traces" not in made.clusters and not re.search(r'"tracing"', json.dumps(dict(made.routes)))
    assert any("begins no trace" in finding.message for finding in made.report.findings)


def test_what_envoy_cannot_say_of_tracing() -> None:
    of = traced(80, "http://c/v1", parent_based=False, sample_errors=True, propagation=(Propagation.JAEGER,))
    other = replace(of.routes[1], tracing=Tracing(EX + "other", collector="http://d/v1"))
    rendering = render(replace(of, routes=(of.routes[0], other)), "envoy", allow_loss=True)
    lost = {(loss.subject, (loss.predicate or "").rpartition("#")[2]) for loss in rendering.losses}
    assert lost == {
        (EX + "t", "parentBasedSampling"),
        (EX + "t", "sampleErrors"),
        (EX + "other", "traceCollector"),
        (EX + "other", "tracedServiceName"),
    }
    assert any("carries traces on" in finding.message for finding in rendering.report.findings)
