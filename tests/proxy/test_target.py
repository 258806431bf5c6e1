"""Where attempts go, over real sockets: subsets, zones, priorities, load, latency, ejection."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Endpoint,
    OutlierDetection,
    Retry,
    RetryCondition,
    SplitTarget,
)
from api_gateway_service_mesh.policies import read_ejection
from tests.support.backend import Backend, Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

EJECTS = OutlierDetection("urn:test:detection", consecutive_errors=3, base_ejection_seconds=60.0)


async def ask(gateway: Running, times: int = 1) -> Counter[tuple[int, bytes]]:
    seen: Counter[tuple[int, bytes]] = Counter()
    reader, writer = await gateway.connect()
    for _ in range(times):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = await read_answer(reader)
        seen[int(got.line.split()[1]), got.body] += 1
    writer.close()
    return seen


@contextlib.asynccontextmanager
async def named(*names: str) -> AsyncIterator[list[Backend]]:
    """Backends that say their names."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(backend(says(answer(name.encode())))) for name in names]


def ends(backends: list[Backend], *details: dict[str, object]) -> tuple[Endpoint, ...]:
    return tuple(
        replace(endpoint(each.port, f"e{number}"), **detail)  # type: ignore[arg-type]
        for number, (each, detail) in enumerate(zip(backends, details, strict=True))
    )


async def test_a_route_and_a_split_select_by_labels() -> None:
    async with named("v1", "v2", "v2big") as behind:
        service = upstream(
            *ends(behind, {"labels": ("version=v1",)}, {"labels": ("version=v2",)}, {"labels": ("big", "version=v2")})
        )
        split = SplitTarget("urn:test:split", service.iri, 100, subset=("version=v2",))
        for chosen, names in (
            (route(subset=("version=v1",)), {b"v1"}),
            (route(), {b"v1", b"v2", b"v2big"}),
            (route(splits=(split,)), {b"v2", b"v2big"}),
            (route(splits=(split,), subset=("big",)), {b"v2big"}),
        ):
            async with running(mesh_of(chosen, service)) as gateway:
                assert {body for _, body in await ask(gateway, 6)} == names
        async with running(mesh_of(route(subset=("version=v3",)), service)) as gateway:
            ((status, body),) = await ask(gateway)
            assert (status, b"version=v3" in body) == (503, True)


async def test_the_own_zone_and_the_first_priority_come_first() -> None:
    async with named("here", "there", "reserve") as behind:
        service = upstream(*ends(behind, {"zone": "a"}, {"zone": "b"}, {"zone": "a", "priority": 1}))
        async with running(mesh_of(route(), service, zone="a")) as gateway:
            assert await ask(gateway, 6) == {(200, b"here"): 6}
        async with running(mesh_of(route(), service)) as gateway:
            assert await ask(gateway, 6) == {(200, b"here"): 3, (200, b"there"): 3}


@pytest.mark.parametrize("algorithm", [Algorithm.POWER_OF_TWO, Algorithm.EWMA])
async def test_a_busy_endpoint_is_passed_over(algorithm: Algorithm) -> None:
    stuck = asyncio.Event()

    async def slow(_: Received, conversation: Conversation) -> None:
        await stuck.wait()
        await conversation.send(answer(b"slow"))

    async with backend(slow) as one, named("quick") as (two,):
        service = upstream(endpoint(one.port, "one"), endpoint(two.port, "two"))
        balancer = Balancer("urn:test:balancer", algorithm)
        async with running(mesh_of(route(balancer=balancer), service)) as gateway:
            waiting = []
            while not one.heads:  # until one is under way there
                waiting.append(asyncio.create_task(ask(gateway)))
                await asyncio.sleep(0.02)
            if algorithm is not Algorithm.EWMA:  # what that thinks of a busy one depends on how quick the other was
                assert await ask(gateway, 20) == {(200, b"quick"): 20}
            else:
                await asyncio.sleep(0.5)
            stuck.set()
            await asyncio.gather(*waiting)
            if algorithm is Algorithm.EWMA:  # it is idle again, and remembered as slow
                assert (await ask(gateway, 20))[200, b"quick"] >= 15


async def test_who_answers_badly_is_ejected_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with backend(says(answer(b"bad", "500 Oh"))) as bad, named("good") as (good,):
        service = upstream(endpoint(bad.port, "bad"), endpoint(good.port, "good"), outlier=EJECTS)
        async with running(mesh_of(route(), service)) as gateway:
            assert await ask(gateway, 20) == {(500, b"bad"): 3, (200, b"good"): 17}
            until, times = read_ejection(gateway.store.view, gateway.layout.slots["health", "urn:test:endpoint:bad"])
            assert (until > 0, times) == (True, 1)
    assert "is ejected" in caplog.text


async def test_an_ejection_outlives_a_reload() -> None:
    async with backend(says(answer(b"bad", "500 Oh"))) as bad, named("good") as (good,):
        service = upstream(endpoint(bad.port, "bad"), endpoint(good.port, "good"), outlier=EJECTS)
        async with running(mesh_of(route(), service)) as gateway:
            await ask(gateway, 8)
            gateway.install(mesh_of(route(balancer=Balancer("urn:test:other")), service))
            assert await ask(gateway, 10) == {(200, b"good"): 10}


async def test_without_panic_nothing_available_is_a_refusal() -> None:
    balancer = Balancer("urn:test:balancer", panic_threshold=0)
    async with named("one", "two") as behind:
        service = upstream(*ends(behind, {}, {}))
        async with running(mesh_of(route(balancer=balancer), service)) as gateway:
            view, slots = gateway.store.view, gateway.layout.slots
            for each in service.endpoints:
                view[slots["health", each.iri]] = 2.0
            view[slots["epoch", ""]] += 1.0
            ((status, body),) = await ask(gateway)
            assert (status, b"no-endpoint" in body) == (503, True)


async def test_retries_hide_an_endpoint_that_resets_until_it_is_ejected() -> None:
    async def reset(_: Received, conversation: Conversation) -> None:
        conversation.reset()

    retry = Retry(
        "urn:test:retry",
        attempts=2,
        initial_delay_seconds=0.001,
        conditions=frozenset({RetryCondition.RESET, RetryCondition.CONNECT_FAILURE}),
    )
    async with backend(reset) as bad, named("good") as (good,):
        service = upstream(endpoint(bad.port, "bad"), endpoint(good.port, "good"), outlier=EJECTS)
        async with running(mesh_of(route(retry=retry), service)) as gateway:
            assert await ask(gateway, 30) == {(200, b"good"): 30}
            assert len(bad.requests) == 3
