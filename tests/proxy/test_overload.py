"""The overload guard on real sockets."""

from __future__ import annotations

import asyncio
import json
import time

from api_gateway_service_mesh.model import OverloadGuard, RequestPriority
from api_gateway_service_mesh.policies.overload import read_overload
from api_gateway_service_mesh.proxy.overload import granted_memory
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

ROUTES = (
    route("/critical", "critical", request_priority=RequestPriority.CRITICAL),
    route("/low", "low", request_priority=RequestPriority.LOW),
)


async def ask(gateway: Running, path: str) -> tuple[str, Received]:
    reader, writer = await gateway.connect()
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    try:
        async with asyncio.timeout(20):
            got = await read_answer(reader)
    finally:
        writer.close()
    return got.line.split()[1], got


def state(gateway: Running, guard: OverloadGuard) -> str:
    return read_overload(gateway.store.view, gateway.layout.slots["overload", guard.iri], 1)[0]


async def test_requests_under_way_make_it_shed_and_calm_ends_it() -> None:
    stay = asyncio.Event()

    async def sometimes(got: Received, conversation: Conversation) -> None:
        if "/critical/wait" in got.line:
            await stay.wait()
        await conversation.send(answer(b"x"))

    guard = OverloadGuard("urn:guard", loop_lag_seconds=30.0, memory_share=1.0, active_requests=5)
    async with backend(sometimes) as behind:
        mesh = mesh_of(ROUTES, upstream(endpoint(behind.port)), overload=guard, access_log=True)
        async with running(mesh) as gateway:
            assert (await ask(gateway, "low"))[0] == "200"
            waiting = [asyncio.create_task(ask(gateway, "critical/wait")) for _ in range(5)]
            watched = gateway.engine.core().guard
            assert watched is not None
            async with asyncio.timeout(20):
                while watched.machine.level < 1.0:
                    await asyncio.sleep(0.02)
            waiting.pop().cancel()  # four of five: neither too much nor calm, and the level stays
            status, got = await ask(gateway, "low")
            assert status == "503"
            assert got.get("retry-after") == "1"
            assert json.loads(got.body)["type"] == "urn:agw:problem:overloaded"
            assert json.loads(got.body)["policy"] == guard.iri
            assert [json.loads(line) for line in gateway.log if '"status":503' in line][-1]["flags"] == ["shed"]
            assert (await ask(gateway, "critical"))[0] == "200"
            assert state(gateway, guard) == "SHEDDING"
            stay.set()
            assert [status for status, _ in await asyncio.gather(*waiting)] == ["200"] * 4
            async with asyncio.timeout(20):
                while state(gateway, guard) != "CALM":
                    await asyncio.sleep(0.05)
            assert (await ask(gateway, "low"))[0] == "200"


async def test_a_late_loop_shuts_the_door_and_opens_it_again() -> None:
    guard = OverloadGuard("urn:guard", loop_lag_seconds=0.02, memory_share=1.0)
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(ROUTES, upstream(endpoint(behind.port)), overload=guard)
        async with running(mesh) as gateway:
            async with asyncio.timeout(20):
                while state(gateway, guard) != "SHUT":
                    time.sleep(0.2)
                    await asyncio.sleep(0)
            (port,) = gateway.engine.core().ports
            assert port._paused  # type: ignore[attr-defined]
            async with asyncio.timeout(20):
                assert (await asyncio.create_task(_late(gateway)))[0] == "200"
            gateway.install(mesh_of(ROUTES, upstream(endpoint(behind.port))), "3")
            assert gateway.engine.core().guard is None


async def _late(gateway: Running) -> tuple[str, Received]:
    """Asked while the door is shut: the kernel keeps the connection until it opens."""
    reader, writer = await gateway.connect()
    writer.write(b"GET /critical HTTP/1.1\r\nHost: a\r\n\r\n")
    got = await read_answer(reader)
    writer.close()
    return got.line.split()[1], got


def test_memory_is_at_most_what_the_machine_has() -> None:
    assert 0 < granted_memory() < 1 << 50
