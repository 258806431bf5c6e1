"""Tracing on real sockets: what backends are told, what is sent, and that real collectors find it as one trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from api_gateway_service_mesh.model import Breaker, Hedging, Propagation, Retry, RetryCondition, TraceFormat, Tracing
from api_gateway_service_mesh.policies import read_spans
from tests.support.collectors import Collector, jaeger, needs_jaeger, needs_zipkin, zipkin
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
TRACING = Tracing("urn:test:tracing")


@dataclass
class Server:
    """A server that keeps what it was sent. It answers with ``statuses`` in turn, then with 200."""

    port: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    waits: float = 0.0
    goes_on: str = ""
    """A gateway's URL that it asks, with the trace that it was told."""


@contextlib.asynccontextmanager
async def serving(*statuses: int, waits: float = 0.0, goes_on: str = "") -> AsyncIterator[Server]:
    server = Server(statuses=list(statuses), waits=waits, goes_on=goes_on)

    async def handle(request: web.Request) -> web.Response:
        server.headers.append({name.lower(): value for name, value in request.headers.items()})
        if request.method == "POST":
            server.spans.append(await request.json())
        if server.waits and len(server.headers) == 1:
            await asyncio.sleep(server.waits)
        if server.goes_on:
            told = f"traceparent: {request.headers['traceparent']}"
            await ask(int(server.goes_on), "/second", told)
        return web.Response(status=server.statuses.pop(0) if server.statuses else 200)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def ask(port: int, path: str = "/", *lines: str) -> tuple[int, bytes]:
    """Status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: shop", "Connection: close", *lines, ""))
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1]), answer.partition(b"\r\n\r\n")[2]


@contextlib.asynccontextmanager
async def traced(tracing: Tracing, *backends: Server, **more: object) -> AsyncIterator[Running]:
    endpoints = [endpoint(backend.port, str(number)) for number, backend in enumerate(backends)]
    mesh = mesh_of(route("", tracing=tracing, **more), upstream(*endpoints), access_log=True)
    async with running(mesh) as gateway:
        yield gateway


async def told(tracing: Tracing, *lines: str) -> dict[str, str]:
    """What the backend of a request with these lines is told."""
    async with serving() as backend, traced(tracing, backend) as gateway:
        assert (await ask(gateway.port, "/", *lines))[0] == 200
        return backend.headers[0]


def ways(words: str) -> Tracing:
    return replace(TRACING, propagation=tuple(Propagation(word) for word in words.split()))


async def test_a_trace_begins_here() -> None:
    headers = await told(TRACING, "tracestate: a=b")
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert "tracestate" not in headers


async def test_a_trace_goes_on_from_a_span_of_the_gateway() -> None:
    headers = await told(TRACING, f"traceparent: {PARENT}", "tracestate: a=b", "baggage: k=v")
    _, trace, span, flags = headers["traceparent"].split("-")
    assert (trace, flags, headers["tracestate"], headers["baggage"]) == (TRACE, "01", "a=b", "k=v")
    assert span != SPAN


async def test_a_parent_decides_unless_it_is_not_to() -> None:
    unsampled = f"traceparent: {PARENT[:-1]}0"
    assert (await told(TRACING, unsampled))["traceparent"] == PARENT[:-1] + "0"
    assert (await told(replace(TRACING, parent_based=False), unsampled))["traceparent"].endswith("-01")
    never = replace(TRACING, sampling_rate=0.0)
    assert (await told(never, f"traceparent: {PARENT}"))["traceparent"].endswith("-01")
    assert (await told(never))["traceparent"].endswith("-00")
    assert (await told(replace(never, parent_based=False), f"traceparent: {PARENT}"))["traceparent"].endswith("-00")


async def test_the_first_that_is_stated_is_believed_and_all_are_written() -> None:
    headers = await told(
        ways("b3 jaeger b3multi tracecontext"), f"traceparent: {PARENT}", "b3: 463ac35c9f6413ad-48485a3953bb6124-1"
    )
    trace = "0" * 16 + "463ac35c9f6413ad"
    _, span, sampled = headers["b3"].split("-")
    assert headers["b3"] == f"{trace}-{span}-1" and sampled == "1"
    assert headers["uber-trace-id"] == f"{trace}:{span}:0:1"
    assert (headers["x-b3-traceid"], headers["x-b3-spanid"], headers["x-b3-sampled"]) == (trace, span, "1")
    assert headers["traceparent"] == f"00-{trace}-{span}-01"


async def test_baggage_goes_on_only_where_it_is_stated_and_not_too_much_of_it() -> None:
    assert "baggage" not in await told(ways("tracecontext"), "baggage: a=b")
    assert "baggage" not in await told(TRACING, "baggage: a=" + "b" * 8200)


async def test_without_tracing_fields_pass_as_they_came() -> None:
    async with serving() as backend:
        async with running(mesh_of(route(""), upstream(endpoint(backend.port)))) as gateway:
            await ask(gateway.port, "/", f"traceparent: {PARENT}", "baggage: a=b")
        assert (backend.headers[0]["traceparent"], backend.headers[0]["baggage"]) == (PARENT, "a=b")


async def test_the_log_and_the_problem_name_the_trace() -> None:
    async with serving() as backend, traced(replace(TRACING, sampling_rate=0.0), backend) as gateway:
        gateway.install(mesh_of(route("", to="nowhere", tracing=TRACING), access_log=True))
        status, body = await ask(gateway.port, "/", f"traceparent: {PARENT}")
        assert (status, json.loads(body)["trace_id"]) == (503, TRACE)
        while not gateway.log:
            await asyncio.sleep(0.01)
        assert json.loads(gateway.log[0])["trace_id"] == TRACE


async def spans_of(collector: Server, number: int) -> list[dict[str, Any]]:
    """Spans that have come, as Zipkin's JSON."""
    end = time.monotonic() + 20.0
    while True:
        found = [span for message in collector.spans for span in message]
        if len(found) >= number:
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


def collected(collector: Server, **more: Any) -> Tracing:
    return replace(
        TRACING, collector=f"http://127.0.0.1:{collector.port}/api/v2/spans", format=TraceFormat.ZIPKIN, **more
    )


async def test_each_attempt_has_a_span_that_its_backend_goes_on_from() -> None:
    retry = Retry(
        "urn:retry", attempts=2, initial_delay_seconds=0.001, conditions=frozenset({RetryCondition.SERVER_ERROR})
    )
    breaker = Breaker("urn:breaker", 5)
    async with serving() as collector, serving(503) as backend:
        async with traced(collected(collector), backend, retry=retry, breaker=breaker) as gateway:
            assert (await ask(gateway.port, "/a?token=secret", f"traceparent: {PARENT}"))[0] == 200
            first, second, server = await spans_of(collector, 3)
    assert [span["kind"] for span in (first, second, server)] == ["CLIENT", "CLIENT", "SERVER"]
    assert (server["parentId"], server["traceId"]) == (SPAN, TRACE)
    assert {first["parentId"], second["parentId"]} == {server["id"]}
    assert [f"00-{TRACE}-{span['id']}-01" for span in (first, second)] == [h["traceparent"] for h in backend.headers]
    assert (first["tags"]["http.response.status_code"], first["tags"]["error"]) == ("503", "503")
    assert (second["tags"]["http.request.resend_count"], "error" in second["tags"]) == ("1", False)
    tags = server["tags"]
    assert (tags["agw.route"], tags["agw.attempts"], tags["url.path"]) == ("urn:test:route", "2", "/a")
    assert (tags["agw.breaker"], tags["agw.breaker.state"]) == ("urn:breaker", "CLOSED")
    assert "secret" not in json.dumps(collector.spans)


async def test_a_hedge_has_a_span_of_its_own() -> None:
    async with serving() as collector, serving(waits=5.0) as backend:
        async with traced(collected(collector), backend, hedging=Hedging("urn:hedging", 0.05)) as gateway:
            assert (await ask(gateway.port))[0] == 200
            spans = await spans_of(collector, 3)
        clients = {span["id"]: span["tags"] for span in spans if span["kind"] == "CLIENT"}
        sent = [headers["traceparent"].split("-")[2] for headers in backend.headers]
        assert set(sent) == set(clients) and len(clients) == 2
        assert "agw.given_up" in clients[sent[0]] and clients[sent[1]]["http.response.status_code"] == "200"


async def test_errors_are_sent_whatever_the_share_says() -> None:
    async with serving() as collector, serving(200, 500) as backend:
        tracing = collected(collector, sampling_rate=0.0, sample_errors=True)
        async with traced(tracing, backend) as gateway:
            assert [(await ask(gateway.port))[0] for _ in range(2)] == [200, 500]
            spans = await spans_of(collector, 2)
            assert {span["traceId"] for span in spans} == {backend.headers[1]["traceparent"].split("-")[1]}
            assert backend.headers[1]["traceparent"].endswith("-00")


async def test_a_collector_that_is_away_costs_no_request_and_its_spans_are_counted() -> None:
    async with serving() as backend:
        async with serving() as collector:
            tracing = collected(collector)
        async with traced(tracing, backend) as gateway:
            for _ in range(20):
                assert (await ask(gateway.port))[0] == 200
            base, end = gateway.layout.slots["tracing", tracing.iri], time.monotonic() + 20.0
            while not read_spans(gateway.store.view, base, 1).dropped:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            assert read_spans(gateway.store.view, base, 1).exported == 0


async def _through_both(collector: Collector, form: TraceFormat, trace: str = TRACE) -> None:
    """A request to a first backend, which asks a second one through the gateway: a trace of four spans."""
    where = collector.takes_grpc if form is TraceFormat.OTLP_GRPC else collector.takes
    tracing = replace(TRACING, collector=where, format=form, service="edge")
    async with serving() as second, serving() as first:
        mesh = mesh_of(
            (
                route("/first", "first", to="one", tracing=tracing),
                route("/second", "second", to="two", tracing=tracing),
            ),
            upstream(endpoint(first.port, "first"), name="one"),
            upstream(endpoint(second.port, "second"), name="two"),
        )
        async with running(mesh) as gateway:
            first.goes_on = str(gateway.port)
            assert (await ask(gateway.port, "/first", f"traceparent: {PARENT.replace(TRACE, trace)}"))[0] == 200
            found = await asyncio.to_thread(collector.trace, trace, 4)
    told = [headers["traceparent"] for headers in (*first.headers, *second.headers)]
    assert all(line.startswith(f"00-{trace}-") for line in told)
    _one_chain(found, [line.split("-")[2] for line in told])


def _one_chain(found: Any, told: list[str]) -> None:
    """From the caller's span to the second backend, each is the child of the one before."""
    if isinstance(found, dict):  # Jaeger
        parents = {span["spanID"]: span["references"][0]["spanID"] for span in found["data"][0]["spans"]}
        assert {process["serviceName"] for process in found["data"][0]["processes"].values()} == {"edge"}
    else:
        parents = {span["id"]: span["parentId"] for span in found}
        assert {span["localEndpoint"]["serviceName"] for span in found} == {"edge"}
    chain = [told[1]]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
    assert (len(chain), chain[2], chain[4]) == (5, told[0], SPAN)


@needs_zipkin
def test_zipkin_finds_one_trace(tmp_path: Path) -> None:
    with zipkin(tmp_path) as collector:
        asyncio.run(_through_both(collector, TraceFormat.ZIPKIN))


@needs_jaeger
def test_jaeger_finds_one_trace_by_each_way_to_it(tmp_path: Path) -> None:
    with jaeger(tmp_path) as collector:
        for number, form in enumerate((TraceFormat.OTLP, TraceFormat.OTLP_PROTOBUF, TraceFormat.OTLP_GRPC)):
            asyncio.run(_through_both(collector, form, f"{TRACE[:-1]}{number}"))


@pytest.mark.parametrize("form", [TraceFormat.OTLP, TraceFormat.ZIPKIN])
async def test_both_forms_say_what_the_gateway_is_called(form: TraceFormat) -> None:
    async with serving() as collector, serving() as backend:
        async with traced(
            collected(collector) if form is TraceFormat.ZIPKIN else replace(collected(collector), format=form), backend
        ) as gateway:
            await ask(gateway.port)
            end = time.monotonic() + 20.0
            while not collector.spans:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            assert '"gateway"' in json.dumps(collector.spans)
