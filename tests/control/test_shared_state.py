"""What resilience policies keep, under ``agw serve`` with two workers: exact over both, kept over a reload by IRI, and
given back by a worker that is killed with requests under way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.support.backend import Backend, Conversation, Received, Script, answer, backend, says
from tests.support.serving import Serving, serve_process, turtle

CLIENTS = 12
"""Connections at once: that one worker of two takes none of them is one chance in two thousand."""


def shop(behind: Backend, policies: str, note: str = "") -> str:
    return turtle(
        f"""@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
        ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
        ex:s a agw:BackendService ; agw:hasInstance ex:one .
        ex:one a agw:ServiceInstance ; agw:address "127.0.0.1:{behind.port}" .
        {policies}
        {note}"""
    )


class Gate:
    """A backend's script: each request is held until the gate is opened, and is answered with ``status`` then."""

    def __init__(self, status: str = "200 OK") -> None:
        self.open = asyncio.Event()
        self.status = status

    async def __call__(self, _: Received, conversation: Conversation) -> None:
        await self.open.wait()
        await conversation.send(answer(status=self.status))


@contextlib.asynccontextmanager
async def shared(tmp_path: Path, script: Script, policies: str) -> AsyncIterator[tuple[Serving, Backend, Path]]:
    async with backend(script) as behind:
        file = tmp_path / "gateway.ttl"
        file.write_text(shop(behind, policies))
        running = serve_process(file, "--workers", "2")
        gateway = await asyncio.to_thread(running.__enter__)
        try:
            yield gateway, behind, file
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


async def reload(gateway: Serving, behind: Backend, file: Path, policies: str) -> None:
    """Bring in another revision with the same policies."""
    seen = len(gateway.lines)
    beside = file.with_suffix(".new")
    beside.write_text(shop(behind, policies, 'ex:r agw:httpMethod "GET" .'))
    beside.replace(file)
    await asyncio.to_thread(gateway.said, r"revision \d+ is live", after=seen)


async def ask(gateway: Serving) -> int:
    """The status of one request on a connection of its own, which any worker may take; 0: it broke off."""
    connector = aiohttp.TCPConnector(force_close=True)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            session._retry_connection = False  # what a killed worker held is lost, and not asked again by the client
            async with session.get(gateway.url + "/x") as got:
                await got.read()
                return got.status
    except (aiohttp.ClientError, OSError):
        return 0


async def told(gateway: Serving, term: str) -> dict[str, str]:
    """The live triples of `term`, by the local name of their subject."""
    query = f"SELECT ?s ?o WHERE {{ ?s <https://ggen.ai/ontology/api-gateway#{term}> ?o }}"
    headers = {"Accept": "application/sparql-results+json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(gateway.admin + "/sparql", params={"query": query}) as got,
    ):
        rows = (await got.json(content_type=None))["results"]["bindings"]
    return {row["s"]["value"].rsplit("/", 1)[-1]: row["o"]["value"] for row in rows}


async def until(gateway: Serving, term: str, wanted: dict[str, str], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while (found := await told(gateway, term)) != wanted:
        assert time.monotonic() < end, (term, found)
        await asyncio.sleep(0.05)


async def under_way(behind: Backend, count: int) -> None:
    """Wait until so many requests have reached the backend."""
    async with asyncio.timeout(10):
        while len(behind.requests) < count:
            await asyncio.sleep(0.01)


async def kill_a_worker(gateway: Serving) -> None:
    """Kill one worker, and wait until another has taken its place."""
    before = gateway.workers
    os.kill(before[0], signal.SIGKILL)
    async with asyncio.timeout(10):
        while len(set(gateway.workers) - {before[0]}) < 2:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while True:
            async with session.get(gateway.admin + "/metrics") as got:
                if "agw_workers_serving 2" in await got.text():
                    return
            await asyncio.sleep(0.02)


async def all_places_are_free(gateway: Serving, behind: Backend, gate: Gate, places: int) -> None:
    """Exactly `places` requests get through at once, whichever workers take them."""
    gate.open.clear()
    begun = len(behind.requests)
    asked = [asyncio.create_task(ask(gateway)) for _ in range(places + CLIENTS)]
    done: set[asyncio.Task[int]] = set()
    async with asyncio.timeout(10):
        while len(done) < CLIENTS:
            done, _ = await asyncio.wait(asked, timeout=0.05)
            done = {task for task in asked if task.done()}
    await under_way(behind, begun + places)
    gate.open.set()
    assert Counter(await asyncio.gather(*asked)) == {200: places, 503: CLIENTS}


async def test_the_bound_of_a_pool_is_one_for_all_workers_and_a_killed_one_gives_its_places_back(
    tmp_path: Path,
) -> None:
    gate = Gate()
    policies = "ex:s agw:hasConnectionPool ex:p . ex:p a agw:ConnectionPool ; agw:maxRequests 8 ."
    async with shared(tmp_path, gate, policies) as (gateway, behind, file):
        await all_places_are_free(gateway, behind, gate, 8)
        gate.open.clear()
        held = [asyncio.create_task(ask(gateway)) for _ in range(8)]
        await under_way(behind, 16)
        await until(gateway, "activeRequests", {"one": "8"})
        await reload(gateway, behind, file, policies)
        assert await ask(gateway) == 503, "what is under way counts after a reload"
        await kill_a_worker(gateway)
        broken = sum(task.done() for task in held)
        await until(gateway, "activeRequests", {"one": str(8 - broken)})
        gate.open.set()
        assert Counter(await asyncio.gather(*held)) == Counter({200: 8 - broken, 0: broken})
        await until(gateway, "activeRequests", {"one": "0"})
        await all_places_are_free(gateway, behind, gate, 8)


async def test_places_of_a_concurrency_limit_come_back_from_a_killed_worker(tmp_path: Path) -> None:
    gate = Gate()
    policies = """ex:r agw:hasAdaptiveConcurrency ex:c ; agw:requestPriority "CRITICAL" .
        ex:c a agw:AdaptiveConcurrency ; agw:minimumConcurrency 6 ; agw:maximumConcurrency 6 ."""
    async with shared(tmp_path, gate, policies) as (gateway, behind, file):
        held = [asyncio.create_task(ask(gateway)) for _ in range(6)]
        await under_way(behind, 6)
        await until(gateway, "concurrencyInUse", {"c": "6"})
        assert {await ask(gateway) for _ in range(CLIENTS)} == {503}
        await reload(gateway, behind, file, policies)
        assert {await ask(gateway) for _ in range(CLIENTS)} == {503}
        await kill_a_worker(gateway)
        broken = sum(task.done() for task in held)
        await until(gateway, "concurrencyInUse", {"c": str(6 - broken)})
        gate.open.set()
        await asyncio.gather(*held)
        await until(gateway, "concurrencyInUse", {"c": "0"})


async def test_a_retry_budget_is_one_for_all_workers_and_outlives_a_reload_and_a_kill(tmp_path: Path) -> None:
    gate = Gate("500 Oops")
    gate.open.set()
    policies = """ex:r agw:hasRetryPolicy ex:again . ex:again a agw:RetryPolicy ; agw:retryAttempts 1 ;
        agw:retryOn "5xx" ; agw:initialDelayMs 1 ; agw:retryBudgetPercent 0 ; agw:retryBudgetMinimum 1 ."""
    async with shared(tmp_path, gate, policies) as (gateway, behind, file):
        began = time.monotonic()
        await asyncio.gather(*(ask(gateway) for _ in range(20)))
        await reload(gateway, behind, file, policies)
        await asyncio.gather(*(ask(gateway) for _ in range(10)))
        await kill_a_worker(gateway)
        await asyncio.gather(*(ask(gateway) for _ in range(10)))
        retried = len(behind.requests) - 40
        # One a second and never more than in ten seconds: ten, and those that have grown stale since.
        assert 10 <= retried <= 10 + time.monotonic() - began
        await until(gateway, "retriedTotal", {"again": str(retried)})
        await until(gateway, "retriesRefusedTotal", {"again": str(40 - retried)})


async def test_a_breaker_of_an_instance_opens_for_all_workers_and_stays_open(tmp_path: Path) -> None:
    gate = Gate("500 Oops")
    gate.open.set()
    policies = """ex:r agw:hasCircuitBreaker ex:b . ex:b a agw:CircuitBreaker ; agw:failureThreshold 7 ;
        agw:breakerScope "instance" ; agw:timeoutSeconds 600 ."""
    async with shared(tmp_path, gate, policies) as (gateway, behind, file):
        assert [await ask(gateway) for _ in range(20)] == [500] * 7 + [503] * 13
        await reload(gateway, behind, file, policies)
        assert {await ask(gateway) for _ in range(CLIENTS)} == {503}
        await kill_a_worker(gateway)
        assert {await ask(gateway) for _ in range(CLIENTS)} == {503}
        assert len(behind.requests) == 7
        await until(gateway, "breakerState", {"b": "OPEN", "one": "OPEN"})


async def test_an_ejected_instance_stays_out_after_a_reload_and_a_kill(tmp_path: Path) -> None:
    gate = Gate("500 Oops")
    gate.open.set()
    async with backend(says(answer())) as good:
        policies = f"""ex:s agw:hasInstance ex:two ; agw:hasOutlierDetection ex:o .
            ex:two a agw:ServiceInstance ; agw:address "127.0.0.1:{good.port}" .
            ex:o a agw:OutlierDetection ; agw:consecutiveErrors 5 ;
                agw:baseEjectionTime "PT600S"^^xsd:dayTimeDuration ."""
        async with shared(tmp_path, gate, policies) as (gateway, behind, file):
            assert Counter([await ask(gateway) for _ in range(30)]) == {500: 5, 200: 25}
            await reload(gateway, behind, file, policies)
            assert {await ask(gateway) for _ in range(CLIENTS)} == {200}
            await kill_a_worker(gateway)
            assert {await ask(gateway) for _ in range(CLIENTS)} == {200}
            assert len(behind.requests) == 5
            assert await told(gateway, "ejectionsTotal") == {"one": "1", "two": "0"}


CAPPED = """ex:g a agw:ApiGateway ; agw:hasRoute ex:r ; agw:hasListener ex:web .
    ex:web a agw:Listener ; agw:port 8080 ; agw:maxConnectionsPerAddress 6 ."""


async def connected(gateway: Serving) -> asyncio.StreamWriter | None:
    """A connection that serves; None when it was turned away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        if (await reader.readline()).startswith(b"HTTP/1.1 200"):
            return writer
    writer.close()
    return None


async def test_a_cap_on_connections_is_exact_over_workers_and_forgets_the_dead(tmp_path: Path) -> None:
    gate = Gate()
    gate.open.set()
    async with shared(tmp_path, gate, CAPPED) as (gateway, behind, file):
        held = await asyncio.gather(*(connected(gateway) for _ in range(CLIENTS)))
        mine = [writer for writer in held if writer is not None]
        assert len(mine) == 6
        await reload(gateway, behind, file, CAPPED)
        assert await connected(gateway) is None
        mine.pop().close()
        async with asyncio.timeout(20):
            while (more := await connected(gateway)) is None:
                await asyncio.sleep(0.02)
        mine.append(more)
        before = gateway.workers
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        async with asyncio.timeout(30):
            while len(new := [worker for worker in gateway.workers if worker not in before]) < 2:
                await asyncio.sleep(0.05)
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    again = await asyncio.gather(*(connected(gateway) for _ in range(CLIENTS)), return_exceptions=True)
                    alive = [one for one in again if isinstance(one, asyncio.StreamWriter)]
                    if len(alive) == 6:
                        break
                    for one in alive:
                        one.close()
                await asyncio.sleep(0.1)
        assert len(new) == 2
        for writer in (*mine, *alive):
            writer.close()
