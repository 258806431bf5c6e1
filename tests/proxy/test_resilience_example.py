"""The example of backends that fail, served to real ones: what its README says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from time import monotonic

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Mesh
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, running

FOLDER = resources.examples() / "resilience"


def served(**ports: int) -> Mesh:
    """The example with its hosts on this machine."""
    mesh = build(SourceGraph.load([FOLDER / "gateway.ttl"])).mesh
    upstreams = tuple(
        replace(
            upstream,
            endpoints=tuple(
                replace(endpoint, host="127.0.0.1", port=ports.get(endpoint.host.replace("-", ""), 1))
                for endpoint in upstream.endpoints
            ),
        )
        for upstream in mesh.upstreams
    )
    return replace(mesh, upstreams=upstreams)


async def ask(gateway: Running, request: str, *fields: str, body: bytes = b"") -> Received:
    reader, writer = await gateway.connect()
    length = [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"{request} HTTP/1.1", "Host: shop.example", *fields, *length, "", ""])
    writer.write(head.encode() + body)
    got = await read_answer(reader)
    writer.close()
    return got


def status(got: Received) -> int:
    return int(got.line.split()[1])


async def test_an_instance_that_fails_costs_nobody_an_error() -> None:
    async with (
        backend(says(answer(status="503 Ill"))) as ill,
        backend(says(answer(b"well"))) as well,
        running(served(catalogue1=ill.port, catalogue2=well.port)) as gateway,
    ):
        answers = [status(await ask(gateway, "GET /catalogue/7")) for _ in range(30)]
        assert answers == [200] * 30
        assert len(ill.requests) == 3, "then it is left alone"


async def test_who_waits_gets_a_second_chance_and_backends_know_how_long() -> None:
    async def asleep(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(3)

    async with (
        backend(asleep) as slow,
        backend(says(answer(b"quick"))) as quick,
        running(served(catalogue1=slow.port, catalogue2=quick.port)) as gateway,
    ):
        began = monotonic()
        for _ in range(2):
            assert status(await ask(gateway, "GET /catalogue/7", "X-Request-Timeout-Ms: 900")) == 200
        assert monotonic() - began < 0.8
        assert 0 < int(quick.requests[0].get("x-request-timeout-ms") or 0) <= 900


async def test_an_order_is_placed_again_only_with_a_key() -> None:
    async def lossy(received: Received, conversation: Conversation) -> None:
        if len(orders.requests) % 2:
            conversation.reset()
        else:
            await conversation.send(answer(received.body))

    for fields, expected in ((["Idempotency-Key: 7"], 200), ([], 502)):
        async with backend(lossy) as orders, running(served(orders=orders.port)) as gateway:
            assert status(await ask(gateway, "POST /orders", *fields, body=b"one book")) == expected


async def test_reports_have_a_compartment_of_their_own() -> None:
    async def slow(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.8)
        await conversation.send(answer(b"report"))

    async with backend(slow) as reports, running(served(reports=reports.port)) as gateway:
        answers = await asyncio.gather(*(ask(gateway, "GET /reports/2026") for _ in range(10)))
    kinds = {json.loads(got.body)["type"].rpartition(":")[2] for got in answers if status(got) == 503}
    assert [status(got) for got in answers].count(200) == 2
    assert kinds == {"upstream-overloaded", "upstream-queue-timeout"}
