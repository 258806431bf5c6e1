"""Hedging against slow, failing and vanishing backends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic

import pytest

from api_gateway_service_mesh.model import Breaker, BreakerScope, ConnectionPool, Hedging, Retry, Timeout
from api_gateway_service_mesh.policies import read_bulkhead, read_endpoint, read_hedge
from api_gateway_service_mesh.policies.hedge import HedgeTotals
from tests.support.backend import Backend, Conversation, Received, Script, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

HEDGED = Hedging("urn:hedging", delay_seconds=0.05)
GENEROUS = Retry("urn:retry", attempts=1, initial_delay_seconds=0.001, budget_percent=1000.0)


async def ask(gateway: Running, method: str = "GET", body: bytes = b"", fields: str = "") -> Received:
    reader, writer = await gateway.connect()
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    writer.write(f"{method} / HTTP/1.1\r\nHost: a\r\n{length}{fields}\r\n".encode() + body)
    got = await read_answer(reader)
    writer.close()
    return got


def status(got: Received) -> int:
    return int(got.line.split()[1])


def totals(gateway: Running) -> HedgeTotals:
    return read_hedge(gateway.store.view, gateway.layout.slots["hedge", "urn:hedging"], 1)


def after(seconds: float, said: bytes) -> Script:
    async def script(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(seconds)
        await conversation.send(said)

    return script


def hedged(one: Backend, two: Backend, hedging: Hedging = HEDGED, **more: object):
    return mesh_of(
        route(hedging=hedging, **more),
        upstream(endpoint(one.port), endpoint(two.port, "two"), pool=ConnectionPool("p")),
    )


async def nothing_left(gateway: Running) -> None:
    """All attempts are counted out, all places are free."""
    for name in ("one", "two"):
        base = gateway.layout.slots["endpoint", f"urn:test:endpoint:{name}"]
        async with asyncio.timeout(20):
            while read_endpoint(gateway.store.view, base, 1).active:
                await asyncio.sleep(0.01)
    assert read_bulkhead(gateway.store.view, gateway.layout.slots["bulkhead", "urn:test:service"], 1).requests == 0


async def given_up(gateway: Running, name: str) -> None:
    """The connection is closed: the backend need not go on."""
    base = gateway.layout.slots["endpoint", f"urn:test:endpoint:{name}"]
    async with asyncio.timeout(20):
        while read_endpoint(gateway.store.view, base, 1).connections:
            await asyncio.sleep(0.01)


STREAMED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize("said", [answer(b"two"), STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_the_second_answers_while_the_first_is_slow(kind: str, said: bytes) -> None:
    async with backend(after(3, answer(b"one"))) as one, backend(says(said)) as two:
        async with running(hedged(one, two), kind=kind) as gateway:
            began = monotonic()
            got = await ask(gateway)
            assert (status(got), got.body) == (200, b"two")
            assert 0.04 < monotonic() - began < 1.0
            assert totals(gateway) == HedgeTotals(1, 1)
            await nothing_left(gateway)
            await given_up(gateway, "one")
        assert two.requests[0].all("x-request-id") == one.requests[0].all("x-request-id")


async def test_an_answer_in_time_is_not_hedged() -> None:
    async with (
        backend(says(answer(b"one"))) as one,
        backend(says(answer(b"two"))) as two,
        running(hedged(one, two, replace(HEDGED, delay_seconds=0.1))) as gateway,
    ):
        for _ in range(6):
            assert status(await ask(gateway)) == 200
        await asyncio.sleep(0.15)
        assert totals(gateway) == HedgeTotals(0, 0)
        assert len(one.requests) + len(two.requests) == 6


async def test_the_first_may_still_win() -> None:
    async with (
        backend(after(0.15, answer(b"one"))) as one,
        backend(after(3, answer(b"two"))) as two,
        running(hedged(one, two)) as gateway,
    ):
        assert (await ask(gateway)).body == b"one"
        assert totals(gateway) == HedgeTotals(1, 0)
        await nothing_left(gateway)


async def test_only_what_may_reach_two_backends_does() -> None:
    async with backend(after(0.2, answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        async with running(hedged(one, two)) as gateway:
            assert (await ask(gateway, "POST", b"abc")).body == b"one"
            assert totals(gateway) == HedgeTotals(0, 0)
        async with running(hedged(one, two, replace(HEDGED, non_idempotent=True))) as gateway:
            assert (await ask(gateway, "POST", b"abc")).body == b"two"
    assert two.requests[-1].body == b"abc"


async def test_a_first_that_fails_waits_for_the_second() -> None:
    async def reset(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        conversation.reset()

    for bad in (reset, after(0.1, answer(b"x", "500 Broken"))):
        async with (
            backend(bad) as one,
            backend(after(0.15, answer(b"two"))) as two,
            running(hedged(one, two)) as gateway,
        ):
            assert (await ask(gateway)).body == b"two"
            assert totals(gateway) == HedgeTotals(1, 1)
            await nothing_left(gateway)


async def test_a_second_that_fails_leaves_the_first_alone() -> None:
    async with (
        backend(after(0.2, answer(b"one"))) as one,
        backend(says(answer(b"x", "503 Busy"))) as two,
        running(hedged(one, two)) as gateway,
    ):
        assert (await ask(gateway)).body == b"one"
        assert totals(gateway) == HedgeTotals(1, 0)
        await nothing_left(gateway)


async def test_when_both_fail_the_retry_policy_decides() -> None:
    async def reset(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        conversation.reset()

    async with (
        backend(reset) as one,
        backend(reset) as two,
        running(hedged(one, two)) as gateway,
    ):
        got = await ask(gateway)
        assert status(got) == 502
        await nothing_left(gateway)
    async with backend(reset) as one, backend(reset) as two:
        retry = replace(GENEROUS, attempts=3)
        async with running(hedged(one, two, retry=retry)) as gateway:
            assert status(await ask(gateway)) == 502
            assert len(one.requests) + len(two.requests) > 2
            await nothing_left(gateway)


async def test_hedges_count_against_the_budget() -> None:
    retry = replace(GENEROUS, budget_percent=0.0, budget_minimum=0)
    async with (
        backend(after(0.15, answer(b"one"))) as one,
        backend(says(answer(b"two"))) as two,
        running(hedged(one, two, retry=retry)) as gateway,
    ):
        assert (await ask(gateway)).body == b"one"
        assert totals(gateway) == HedgeTotals(0, 0)


async def test_the_routes_time_ends_both() -> None:
    async with (
        backend(after(3, answer(b"one"))) as one,
        backend(after(3, answer(b"two"))) as two,
        running(hedged(one, two, timeout=Timeout("urn:timeout", 0.3))) as gateway,
    ):
        assert status(await ask(gateway)) == 504
        assert totals(gateway) == HedgeTotals(1, 0)
        await nothing_left(gateway)
        assert not gateway.engine.core().deadlines.watched


async def test_a_client_that_leaves_ends_both() -> None:
    async with (
        backend(after(3, answer(b"one"))) as one,
        backend(after(3, answer(b"two"))) as two,
        running(hedged(one, two)) as gateway,
    ):
        _, writer = await gateway.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await two.arrived.wait()
        writer.close()
        await nothing_left(gateway)
        await given_up(gateway, "one")
        await given_up(gateway, "two")


async def test_each_attempt_tells_its_own_instances_breaker() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=1, open_seconds=60, scope=BreakerScope.INSTANCE)
    async with (
        backend(after(0.2, answer(b"one"))) as one,
        backend(says(answer(b"x", "500 Broken"))) as two,
        running(hedged(one, two, breaker=breaker)) as gateway,
    ):
        assert (await ask(gateway)).body == b"one"
        before = len(two.requests)
        for _ in range(3):
            assert (await ask(gateway)).body == b"one"
        assert len(two.requests) == before == 1
        await nothing_left(gateway)
