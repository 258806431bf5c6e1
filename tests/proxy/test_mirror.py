"""Mirrors on real sockets: copies that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from api_gateway_service_mesh.model import AdaptiveConcurrency, Breaker, BreakerScope, Mirror, Retry, RetryCondition
from api_gateway_service_mesh.policies import read_route
from api_gateway_service_mesh.policies.concurrency import ConcurrencyLimit
from tests.support.asking import ask, deeds
from tests.support.backend import Backend, Conversation, Received, Script, answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream


@contextlib.asynccontextmanager
async def mirrored(
    script: Script, kind: str = "engine", **more: object
) -> AsyncIterator[tuple[Running, Backend, Backend]]:
    mirror = Mirror("urn:m", "urn:test:shadow", **more)  # type: ignore[arg-type]
    async with backend(says(answer(b"real"))) as real, backend(script) as shadow:
        mesh = mesh_of(
            route(mirrors=(mirror,)),
            upstream(endpoint(real.port)),
            upstream(endpoint(shadow.port, "s"), name="shadow"),
            access_log=True,
        )
        async with running(mesh, kind=kind) as gateway:
            yield gateway, real, shadow


async def until(gateway: Running, wanted: tuple[int, int, int]) -> None:
    async with asyncio.timeout(20):
        while deeds(gateway, "urn:m")[:3] != wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_copy_is_the_request_marked_and_its_answer_is_dropped(kind: str) -> None:
    async with mirrored(says(answer(b"shadow", "500 Oops")), kind) as (gateway, real, shadow):
        got = await ask(gateway, "/a?b", "X-Agw-Shadow: spoofed\r\n", method="POST", body="abc")
        assert got.body == b"real"
        await until(gateway, (1, 1, 0))
        totals = read_route(gateway.store.view, gateway.layout.slots["mirror", "urn:m"], 1)
    (copied,) = shadow.requests
    assert (copied.line, copied.body) == ("POST /a?b HTTP/1.1", b"abc")
    assert (copied.get("x-agw-shadow"), copied.get("host")) == ("urn:m", "a.example")
    assert copied.get("x-request-id") == real.requests[0].get("x-request-id")
    assert totals.errors == 1
    assert len(gateway.log) == 1


async def test_nobody_waits_for_a_copy_and_only_so_many_are_under_way() -> None:
    hold = asyncio.Event()

    async def silent(_: Received, conversation: Conversation) -> None:
        await hold.wait()
        await conversation.send(answer(b"late"))

    async with mirrored(silent, concurrency=2) as (gateway, _, shadow):
        began = time.monotonic()
        for _number in range(5):
            assert (await ask(gateway)).body == b"real"
        assert time.monotonic() - began < 2
        await until(gateway, (2, 0, 3))
        hold.set()
        async with asyncio.timeout(20):
            while len(shadow.requests) < 2:
                await asyncio.sleep(0.02)


async def test_a_service_that_is_not_there_is_nobodys_trouble() -> None:
    async with mirrored(says(answer(b"x"))) as (gateway, _, _shadow):
        mesh = gateway.engine.core().generation.mesh  # type: ignore[union-attr]
        gone = mesh_of(mesh.routes, mesh.upstreams[0], upstream(endpoint(1, "s"), name="shadow"))
        gateway.install(gone)
        assert (await ask(gateway)).body == b"real"
        await until(gateway, (1, 1, 0))


@pytest.mark.parametrize(("body", "wanted"), [("x" * 10, (1, 0, 0)), ("x" * 11, (0, 0, 1))])
async def test_large_bodies_are_not_copied(body: str, wanted: tuple[int, int, int]) -> None:
    async with mirrored(says(answer(b"x")), body_bytes=10) as (gateway, _, _shadow):
        assert (await ask(gateway, method="POST", body=body)).body == b"real"
        await until(gateway, wanted)


async def test_a_share_of_nothing_copies_nothing() -> None:
    async with mirrored(says(answer(b"x")), percent=0.0) as (gateway, _, shadow):
        for _number in range(5):
            await ask(gateway)
        assert deeds(gateway, "urn:m")[:3] == (0, 0, 0)
        assert shadow.requests == []


@pytest.mark.parametrize("scope", list(BreakerScope))
async def test_what_becomes_of_copies_is_not_held_against_the_route(scope: BreakerScope) -> None:
    async def slow(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        await conversation.send(answer(b"", "503 Oops"))

    bearable = AdaptiveConcurrency("urn:bearable")
    async with backend(says(answer(b"real"))) as real, backend(slow) as shadow:
        same = endpoint(shadow.port, "s")
        made = route(
            mirrors=(Mirror("urn:m", "urn:test:shadow"),),
            breaker=Breaker("urn:breaker", failure_threshold=1, open_seconds=60, scope=scope),
            retry=Retry("urn:retry", attempts=3, conditions=frozenset({RetryCondition.SERVER_ERROR})),
            concurrency=bearable,
        )
        mesh = mesh_of(made, upstream(endpoint(real.port)), upstream(same, name="shadow"))
        async with running(mesh) as gateway:
            for _ in range(5):
                assert (await ask(gateway)).body == b"real"
            await until(gateway, (5, 5, 0))
            assert (await ask(gateway)).body == b"real"
            view, slots = gateway.store.view, gateway.layout.slots
            machine = ConcurrencyLimit(bearable, view, slots["concurrency", "urn:bearable"])
            assert machine.in_use == 0.0
            assert machine.baseline == 0.0, "ten answers make a window: copies were taken for the route's own"
    assert len(shadow.requests) in (5, 6), "a copy is tried once"
