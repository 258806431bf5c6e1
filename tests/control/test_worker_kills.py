"""Workers that end in every way: who connected, and was not yet taken up, is served by another.

Storms are short by default; ``AGW_WORKER_KILLS=200`` makes them longer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.lock import attach_lock
from tests.support.serving import Serving, serve_process

from .test_kills import priority
from .test_serve import get, shop, until

KILLS = int(os.environ.get("AGW_WORKER_KILLS", "5"))
CLIENTS = 16


@pytest.fixture
def config(tmp_path: Path, backend_port: int) -> Path:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    return file


async def fresh(gateway: Serving, *, seconds: float = 20.0) -> str:
    """A request on a connection of its own: its status, or how it failed."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            try:
                writer.write(b"GET /r0/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                return (await reader.read()).decode("latin-1")[9:12] or "closed"
            finally:
                writer.close()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "nothing"


@asynccontextmanager
async def queued(gateway: Serving, stopped: list[int]) -> AsyncIterator[None]:
    """Requests of which some wait in the queues of these workers, who are stopped."""
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    asked = [asyncio.create_task(fresh(gateway)) for _ in range(40)]
    await asyncio.sleep(0.5)
    assert not all(task.done() for task in asked)
    yield
    assert Counter(await asyncio.gather(*asked)) == {"200": len(asked)}


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_killed_workers_queue_is_served(config: Path, workers: int) -> None:
    with serve_process(config, "--workers", str(workers)) as gateway:
        first = gateway.workers[0]
        async with queued(gateway, [first]):
            os.kill(first, signal.SIGKILL)


async def test_a_draining_worker_leaves_its_connections_to_its_sibling(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        first = gateway.workers[0]
        slow = [asyncio.create_task(_slow(gateway)) for _ in range(8)]
        await asyncio.sleep(0.2)
        os.kill(first, signal.SIGTERM)
        assert {await fresh(gateway) for _ in range(30)} == {"200"}
        assert set(await asyncio.gather(*slow)) == {"200"}


async def _slow(gateway: Serving) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /r0/slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    status = (await reader.read()).decode("latin-1")[9:12]
    writer.close()
    return status


async def test_who_waits_when_the_gateway_ends_is_served(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        workers = gateway.workers
        async with queued(gateway, workers):
            gateway.process.send_signal(signal.SIGTERM)
            gateway.said("stopping")
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        assert gateway.end() == 0
        assert await fresh(gateway) == "refused"


async def test_a_queue_outlives_the_control_process(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        workers = gateway.workers
        async with queued(gateway, workers):
            gateway.process.kill()
            gateway.process.wait()
            for pid in workers:
                os.kill(pid, signal.SIGCONT)


async def test_a_crash_loop_is_told_and_ends(config: Path) -> None:
    with serve_process(config, "--workers", "1") as gateway:
        killed: set[int] = set()
        while len(killed) < 4:
            for pid in set(gateway.workers) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            await asyncio.sleep(0.02)
        gateway.said(r"starting it again in \d.* worker 0 ended 3 times in a row within 10 s of its start")
        status, text = await get(gateway.admin + "/readyz")
        assert status == 503
        assert "no worker serves yet; worker 0 ended" in text
        (down,) = (check for check in json.loads(text)["checks"] if not check["ok"])
        assert (down["check"], down["serving"], down["wanted"], len(down["failing"])) == ("workers", 0, 1, 1)
        assert "agw_workers_failing 1" in (await get(gateway.admin + "/metrics"))[1]
        assert await fresh(gateway) == "200"  # waited in the queue of the one that is to come

        async def calm() -> bool:
            return (await get(gateway.admin + "/readyz")) == (200, "ready\n")

        await until(calm, 30.0)


async def test_a_lock_that_its_dead_holder_keeps_holds_up_nobody_for_long(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    limit = "ex:r0 agw:hasRateLimiter ex:limit . ex:limit a agw:RateLimiter ; agw:requestsPerSecond 10000 ."
    file.write_text(shop(backend_port, extra=limit))
    with serve_process(file, "--workers", "2") as gateway:
        (kept,) = Path("/dev/shm").glob(f"sem.agw-{gateway.process.pid}-*")
        attach_lock("/" + kept.name.removeprefix("sem.")).acquire()  # as a worker does that is killed right then
        started = time.monotonic()
        assert await fresh(gateway) == "200"
        assert time.monotonic() - started < 20
        assert {await fresh(gateway) for _ in range(10)} == {"200"}


@pytest.mark.timeout(60 + 8 * KILLS)
async def test_reloads_and_kills_mixed_refuse_nobody(config: Path) -> None:
    rng = random.Random("mixed")
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()
    text = config.read_text()

    async def client(gateway: Serving) -> None:
        while not over.is_set():
            outcomes[await fresh(gateway)] += 1

    with serve_process(config, "--workers", "2") as gateway:
        clients = [asyncio.create_task(client(gateway)) for _ in range(4)]
        kills = number = 0
        for number in range(2 * KILLS):
            workers = gateway.workers
            if rng.random() < 0.5 and workers:
                await fresh(gateway)
                os.kill(rng.choice(gateway.workers), signal.SIGKILL)
                kills += 1
            config.write_text(f"{text}\nex:r0 agw:priority {number} .\n")
            gateway.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.2 + 0.4 * rng.random())
        over.set()
        await asyncio.gather(*clients)

        async def current() -> bool:
            serving = "agw_workers_serving 2" in (await get(f"{gateway.admin}/metrics"))[1]
            return serving and await priority(gateway) == number

        await until(current, 30.0)
        assert await fresh(gateway) == "200"
    assert set(outcomes) <= {"200", "reset", "closed"}, outcomes
    assert outcomes["reset"] + outcomes["closed"] <= kills * len(clients), outcomes


@pytest.mark.timeout(60 + 8 * KILLS)
async def test_a_storm_of_kills_costs_only_what_was_in_flight(config: Path) -> None:
    rng = random.Random("storm")
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()

    async def client(gateway: Serving) -> None:
        while not over.is_set():
            outcomes[await fresh(gateway)] += 1

    with serve_process(config, "--workers", "2") as gateway:
        clients = [asyncio.create_task(client(gateway)) for _ in range(CLIENTS)]
        for _ in range(KILLS):
            await asyncio.sleep(0.3 + rng.random())
            await fresh(gateway)  # somebody serves: who only just starts is killed too, but not for ever
            workers = gateway.workers
            if workers:
                os.kill(rng.choice(workers), signal.SIGKILL)
        await asyncio.sleep(0.3)
        over.set()
        await asyncio.gather(*clients)
    lost = outcomes["reset"] + outcomes["closed"]
    assert set(outcomes) <= {"200", "reset", "closed"}, outcomes
    assert lost <= KILLS * CLIENTS, outcomes
