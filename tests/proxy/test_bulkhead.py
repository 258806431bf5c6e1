"""The bounds of a connection pool in front of slow backends."""

from __future__ import annotations

import asyncio
import json
from time import monotonic

import pytest

from api_gateway_service_mesh.model import ConnectionPool, Retry
from api_gateway_service_mesh.policies import Overflow, read_bulkhead
from api_gateway_service_mesh.policies.bulkhead import BulkheadTotals
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def ask(gateway: Running, path: str = "/") -> Received:
    reader, writer = await gateway.connect()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    got = await read_answer(reader)
    writer.close()
    return got


def totals(gateway: Running) -> BulkheadTotals:
    return read_bulkhead(gateway.store.view, gateway.layout.slots["bulkhead", "urn:test:service"], 1)


def kinds(answers: list[Received]) -> list[str]:
    """200, or the kind of problem."""
    return sorted(
        "200" if got.line.split()[1] == "200" else json.loads(got.body)["type"].rpartition(":")[2] for got in answers
    )


async def slow(_: Received, conversation: Conversation) -> None:
    await asyncio.sleep(0.2)
    await conversation.send(answer(b"x"))


async def test_no_more_requests_than_the_bound_are_under_way() -> None:
    pool = ConnectionPool("urn:pool", max_requests=2)
    async with (
        backend(slow) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool), access_log=True)) as gateway,
    ):
        answers = await asyncio.gather(*(ask(gateway) for _ in range(5)))
        assert kinds(answers) == ["200", "200", *["upstream-request-limit"] * 3]
        refused = next(got for got in answers if got.line.split()[1] == "503")
        assert json.loads(refused.body)["policy"] == "urn:pool"
        assert totals(gateway).overflow == 3
        assert totals(gateway).requests == 0
        assert kinds([await ask(gateway)]) == ["200"]
    assert len(behind.requests) == 3


async def test_the_queue_is_bounded_and_first_come_first_served() -> None:
    pool = ConnectionPool("urn:pool", max_connections=1, max_pending_requests=2)
    async with (
        backend(slow) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool))) as gateway,
    ):
        await ask(gateway)  # so that there is a connection
        asked = []
        for number in range(5):
            asked.append(asyncio.create_task(ask(gateway, f"/{number}")))
            await asyncio.sleep(0.01)
        assert totals(gateway).pending == 2
        assert kinds(await asyncio.gather(*asked)) == ["200"] * 3 + ["upstream-overloaded"] * 2
        assert [received.line.split()[1] for received in behind.requests[1:]] == ["/0", "/1", "/2"]
        counted = totals(gateway)
        assert (counted.pending, counted.refused[Overflow.QUEUE_FULL]) == (0, 2)


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_who_waits_too_long_is_refused(kind: str) -> None:
    pool = ConnectionPool("urn:pool", max_connections=1, queue_timeout_seconds=0.05)
    async with (
        backend(slow) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool)), kind=kind) as gateway,
    ):
        await ask(gateway)
        first = asyncio.create_task(ask(gateway))
        await asyncio.sleep(0.01)
        began = monotonic()
        assert kinds([await ask(gateway)]) == ["upstream-queue-timeout"]
        assert monotonic() - began < 0.18
        assert kinds([await first]) == ["200"], "having waited is no fault of those who are served"
        assert totals(gateway).refused[Overflow.QUEUE_TIMEOUT] == 1
        assert not gateway.engine.core().deadlines.watched


async def test_a_connection_serves_so_many_requests_and_is_closed() -> None:
    pool = ConnectionPool("urn:pool", max_requests_per_connection=3)
    async with (
        backend(says(answer(b"x"))) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool))) as gateway,
    ):
        reader, writer = await gateway.connect()
        for _ in range(7):
            writer.write(GET)
            await read_answer(reader)
        writer.close()
    assert [received.connection for received in behind.requests] == [1, 1, 1, 2, 2, 2, 3]


async def test_no_more_retries_than_the_bound_are_under_way() -> None:
    async def busy(received: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        await conversation.send(answer(status="503 Busy"))

    pool = ConnectionPool("urn:pool", max_concurrent_retries=1)
    retry = Retry("urn:retry", attempts=1, initial_delay_seconds=0.001, budget_percent=1000.0)
    async with (
        backend(busy) as behind,
        running(mesh_of(route(retry=retry), upstream(endpoint(behind.port), pool=pool))) as gateway,
    ):
        await asyncio.gather(*(ask(gateway) for _ in range(4)))
        assert len(behind.requests) == 5
        counted = totals(gateway)
        assert (counted.retries, counted.overflow, counted.refused[Overflow.RETRIES]) == (0, 0, 3)
        await ask(gateway)
        assert len(behind.requests) == 7


async def test_a_client_that_leaves_gives_its_places_back() -> None:
    pool = ConnectionPool("urn:pool", max_requests=1, max_concurrent_retries=1)
    retry = Retry("urn:retry", attempts=1, initial_delay_seconds=5.0, max_delay_seconds=5.0, budget_percent=1000.0)
    async with (
        backend(says(answer(status="503 Busy"))) as behind,
        running(mesh_of(route(retry=retry), upstream(endpoint(behind.port), pool=pool))) as gateway,
    ):
        _, writer = await gateway.connect()
        writer.write(GET)
        await behind.arrived.wait()
        await asyncio.sleep(0.02)
        assert totals(gateway).retries == 1
        writer.close()
        async with asyncio.timeout(20):
            while totals(gateway).retries:
                await asyncio.sleep(0.01)
        assert totals(gateway).requests == 0
