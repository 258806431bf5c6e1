"""``agw serve`` as a whole: real processes, real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import aiohttp
import pytest

from tests.support.serving import Serving, load, serve_process, turtle


def shop(port: int, *, routes: int = 1, extra: str = "") -> str:
    """A gateway with routes ``/r0/*`` … to one backend."""
    listed = "\n".join(
        f'ex:r{i} a agw:Route ; agw:routePath "/r{i}/*" ; agw:hasBackendService ex:backend .' for i in range(routes)
    )
    names = ", ".join(f"ex:r{i}" for i in range(routes))
    return turtle(
        f"""ex:gateway a agw:ApiGateway ; agw:hasRoute {names} .
{listed}
ex:backend a agw:BackendService ; agw:address "127.0.0.1:{port}" .
{extra}"""
    )


async def get(url: str, **options: object) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, **options) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.text()


async def json_of(url: str) -> object:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.json()


async def until(check: object, seconds: float = 10.0) -> None:
    """Wait for `check()`, an async function, to be true."""
    async with asyncio.timeout(seconds):
        while not await check():  # type: ignore[operator]
            await asyncio.sleep(0.02)


@pytest.fixture
def config(tmp_path: Path, backend_port: int) -> Path:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    return file


async def test_serves_and_ends_with_status_0(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        assert (await get(gateway.url + "/nowhere"))[0] == 404
        for probe in ("livez", "readyz", "startupz"):
            assert (await get(f"{gateway.admin}/{probe}"))[0] == 200
        assert len(gateway.workers) == 2
        assert gateway.end() == 0
        assert "serving 1 route on http://127.0.0.1:" in "\n".join(gateway.lines)


async def test_workers_load_no_rdf_library(config: Path) -> None:
    with serve_process(config, "--workers", "1") as gateway:
        maps = Path(f"/proc/{gateway.workers[0]}/maps").read_text()
        assert "pyoxigraph" not in maps
        assert "pyoxigraph" in Path(f"/proc/{gateway.process.pid}/maps").read_text()


async def test_running_requests_end_before_the_gateway_does(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        running = [asyncio.create_task(get(gateway.url + "/r0/slow")) for _ in range(4)]

        async def arrived() -> bool:
            text = (await get(gateway.admin + "/metrics"))[1]
            return 'agw_endpoint_active_requests{endpoint="http://example.org/backend"} 4' in text

        await until(arrived)
        gateway.process.send_signal(signal.SIGTERM)
        assert [status for status, _ in await asyncio.gather(*running)] == [200] * 4
        assert gateway.end() == 0


async def test_a_port_in_use_is_named_with_its_holder(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = Serving("--host", "127.0.0.1", "--port", str(port), "--admin-port", "0", str(config))
        assert gateway.process.wait(20) == 1
        gateway.said(rf"port {port} on 127\.0\.0\.1 is in use by \S+ \(pid {os.getpid()}\)")
        gateway.said("--port")
        assert not any("Traceback" in line for line in gateway.lines)


async def test_an_admin_port_in_use_is_named(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = Serving("--host", "127.0.0.1", "--port", "0", "--admin-port", str(port), str(config))
        assert gateway.process.wait(20) == 1
        gateway.said("--admin-port")


async def test_a_wrong_configuration_is_not_served(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle("ex:r a agw:Route ; agw:routePth '/x' ."))
    gateway = Serving("--port", "0", "--admin-port", "0", str(file))
    assert gateway.process.wait(20) == 1
    gateway.said("gateway.ttl:3:")
    gateway.said("routePath")
    assert not any("Traceback" in line for line in gateway.lines)


async def test_the_admin_port_stays_on_loopback_without_a_token(config: Path) -> None:
    arguments = ("--port", "0", "--admin-port", "0", "--admin-host", "0.0.0.0", str(config))
    gateway = Serving(*arguments)
    assert gateway.process.wait(20) == 1
    gateway.said("AGW_ADMIN_TOKEN")


async def test_a_killed_worker_is_replaced_while_others_serve(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:
        before = gateway.workers
        async with load(gateway.url + "/r0/x") as traffic:
            await traffic.more(100)
            os.kill(before[0], signal.SIGKILL)
            killed = time.monotonic()
            await traffic.more(100)
            while len(set(gateway.workers) - {before[0]}) < 2:
                await asyncio.sleep(0.01)
                assert time.monotonic() - killed < 20
            await traffic.more(100)
        assert len(traffic.failures) <= 8  # at most what was under way on that worker's connections
        assert set(traffic.statuses) == {200}
        gateway.said("ended with signal 9")
        # What the killed worker counted is still there.
        routes = await json_of(gateway.admin + "/routes")
        assert routes["routes"][0]["requests"] >= traffic.total  # type: ignore[index]

        async def whole() -> bool:
            return "agw_workers_serving 2" in (await get(gateway.admin + "/metrics"))[1]

        await until(whole)


async def test_a_limit_is_exact_over_workers(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    limit = (
        "ex:r0 agw:hasRateLimiter ex:limit . ex:limit a agw:RateLimiter ; agw:requestsPerSecond 1 ; agw:burstSize 7 ."
    )
    file.write_text(shop(backend_port, extra=limit))
    with serve_process(file, "--workers", "2") as gateway:
        started = time.monotonic()
        statuses = [status for status, _ in await asyncio.gather(*(get(gateway.url + "/r0/x") for _ in range(60)))]
        passed = statuses.count(200)
        assert 7 <= passed <= 7 + int(time.monotonic() - started) + 1
        assert statuses.count(429) == 60 - passed
        text = (await get(gateway.admin + "/metrics"))[1]
        assert f'agw_rate_limit_total{{limiter="http://example.org/limit",result="rejected"}} {60 - passed}' in text


async def test_workers_and_query_processes_end_with_a_killed_control_process(config: Path) -> None:
    with serve_process(config, "--workers", "2", "--drain-seconds", "1") as gateway:
        family = gateway.workers + gateway.children("child.py")
        locks = list(Path("/dev/shm").glob(f"sem.agw-{gateway.process.pid}-*"))
        assert len(locks) == 1
        assert len(family) == 4
        gateway.process.kill()
        gateway.process.wait()
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in family):
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert not locks[0].exists()
