"""Adaptive concurrency on real sockets: a backend that gets slower with each request under way."""

from __future__ import annotations

import asyncio
import json

from api_gateway_service_mesh.model import AdaptiveConcurrency, RequestPriority
from api_gateway_service_mesh.policies.concurrency import ConcurrencyLimit
from tests.support.backend import Conversation, Received, answer, backend, read_answer
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

PLACES = 4
SECONDS = 0.02


async def test_a_slow_backend_makes_it_shed_what_is_least_important() -> None:
    places = asyncio.Semaphore(PLACES)

    async def slow(_: Received, conversation: Conversation) -> None:
        async with places:
            await asyncio.sleep(SECONDS)
        await conversation.send(answer(b"x"))

    config = AdaptiveConcurrency("urn:bearable", minimum=2, maximum=30)
    routes = (
        route("/high", "high", concurrency=config, request_priority=RequestPriority.CRITICAL),
        route("/low", "low", concurrency=config, request_priority=RequestPriority.LOW),
    )
    async with backend(slow) as behind:
        mesh = mesh_of(routes, upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            statuses: dict[str, list[str]] = {"high": [], "low": []}
            await asyncio.gather(
                *(client(gateway, path, statuses[path]) for path in ("high", "low") for _ in range(12))
            )
            machine = ConcurrencyLimit(config, gateway.store.view, gateway.layout.slots["concurrency", config.iri])
            assert machine.in_use == 0.0
            assert machine.refused == sum(found.count("503") for found in statuses.values())
            refused = [json.loads(line) for line in gateway.log if '"status":503' in line]
    shares = {path: found.count("200") / len(found) for path, found in statuses.items()}
    assert shares["high"] > shares["low"]
    assert statuses["low"].count("503") > 10
    assert refused[0]["refused_by"] == config.iri
    assert refused[0]["flags"] == ["shed"]


async def client(gateway: Running, path: str, statuses: list[str]) -> None:
    reader, writer = await gateway.connect()
    end = asyncio.get_running_loop().time() + 2.5
    while asyncio.get_running_loop().time() < end:
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got = await read_answer(reader)
        statuses.append(got.line.split()[1])
        if statuses[-1] == "503":
            assert got.get("retry-after") == "1"
            assert json.loads(got.body)["type"] == "urn:agw:problem:overloaded"
            await asyncio.sleep(0.01)
    writer.close()


async def test_a_client_that_leaves_gives_its_place_back() -> None:
    stay = asyncio.Event()

    async def never(_: Received, conversation: Conversation) -> None:
        await stay.wait()

    config = AdaptiveConcurrency("urn:bearable", minimum=2, maximum=2)
    async with backend(never) as behind:
        async with running(mesh_of(route(concurrency=config), upstream(endpoint(behind.port)))) as gateway:
            machine = ConcurrencyLimit(config, gateway.store.view, gateway.layout.slots["concurrency", config.iri])
            _, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(20):
                while machine.in_use != 1.0:
                    await asyncio.sleep(0.01)
                writer.close()
                while machine.in_use != 0.0:
                    await asyncio.sleep(0.01)
        stay.set()
