"""`agw top` at a gateway that serves: plain text, JSON, and a real terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api_gateway_service_mesh.cli.top import lines
from tests.peers.backend import Backend, Call, backend
from tests.peers.client import Client
from tests.support.serving import SRC, serve_process, turtle

from .conftest import Run

CONFIGURATION = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:well , ex:broken .
ex:well a agw:Route ; agw:routePath "/well/*" ; agw:hasBackendService ex:good ; agw:hasRateLimiter ex:tight .
ex:tight a agw:RateLimiter ; agw:requestsPerSecond 1 ; agw:burstSize 3 ; agw:limitKey "route" .
ex:broken a agw:Route ; agw:routePath "/broken" ; agw:hasBackendService ex:bad ; agw:hasCircuitBreaker ex:breaker .
ex:breaker a agw:CircuitBreaker ; agw:failureThreshold 2 ; agw:timeoutSeconds 600 .
ex:good a agw:BackendService ; agw:address "127.0.0.1:@good@" .
ex:bad a agw:BackendService ; agw:address "127.0.0.1:@bad@" .
"""


async def _good(_: Backend, call: Call) -> None:
    call.answer()


async def _bad(_: Backend, call: Call) -> None:
    call.answer(500)


async def test_what_goes_on_is_seen(tmp_path: Path, agw: Run) -> None:
    async with backend(_good) as good, backend(_bad) as bad:
        text = turtle(CONFIGURATION).replace("@good@", str(good.port)).replace("@bad@", str(bad.port))
        (tmp_path / "served.ttl").write_text(text)
        with serve_process(tmp_path / "served.ttl") as served:
            client = Client(served.port)
            for _ in range(6):
                await client.ask("/well")
                await client.ask("/broken")
            await asyncio.to_thread(_look, served.admin, agw)


def _look(admin: str, agw: Run) -> None:
    deadline = time.monotonic() + 30
    while True:  # a rate takes two looks, a second apart
        told = json.loads(agw("top", "--live", admin, "--json").stdout)
        routes = {route["name"]: route for route in told["routes"]}
        if all("PT10S" in routes[name]["rates"] for name in ("broken", "well")):
            break
        assert time.monotonic() < deadline
    assert routes["broken"]["breaker"] == "OPEN"
    assert routes["broken"]["rates"]["PT1M"]["error_share"] == 1.0
    assert routes["well"]["limiters"][0]["rejected"] >= 1
    assert routes["well"]["rates"]["PT10S"]["p99"] > 0
    assert {service["name"] for service in told["services"]} == {"good", "bad"}

    once = agw("top", "--live", admin, "--once", "--window", "1m", "--sort", "errors")
    assert once.returncode == 0 and "\x1b" not in once.stdout
    broken, well = once.stdout.index("broken /broken"), once.stdout.index("well /well/*")
    assert broken < well  # by errors
    assert "breaker OPEN" in once.stdout and "1/1 up" in once.stdout and "limited " in once.stdout
    assert agw("top", "--live", admin).stdout.count("ROUTE") == 1  # no terminal: once

    assert _on_a_terminal(admin) == 0

    answer = agw("top", "--live", "http://127.0.0.1:1", "--once")
    assert (answer.returncode, "no gateway answers" in answer.stderr) == (1, True)


def _on_a_terminal(admin: str) -> int:
    """It is shown, a key changes the window, and q ends it with the screen as it was."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "api_gateway_service_mesh", "top", "--live", admin]
    env = {**os.environ, "PYTHONPATH": str(SRC), "TERM": "xterm"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    seen, end = b"", time.monotonic() + 60

    def until(text: bytes) -> None:
        nonlocal seen
        while text not in seen:
            assert time.monotonic() < end, seen
            if select.select([master], [], [], 0.5)[0]:
                seen += os.read(master, 65536)

    try:
        until(b"last 10s:")
        os.write(master, b"2")
        until(b"last 1m:")
        until(b"broken /broken")
        os.write(master, b"q")
        until(b"\x1b[?1049l")
        return process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.mark.parametrize("width", [30, 60, 200])
def test_lines_keep_to_the_width_and_carry_no_orders(width: int) -> None:
    route = {"iri": "urn:a", "name": "a\x1b[2J", "path": "/" + "x" * 90, "path_kind": "Exact", "methods": ["GET"], "rates": {},
             "breaker": "HALF_OPEN", "limiters": [], "concurrency": {"limit": 9, "in_use": 3, "refused": 1}}  # fmt: skip
    found = {"at": "2026-01-01T00:00:00Z", "revision": 3, "workers": 2, "routes_total": 5, "services_total": 0,
             "gateway": {"name": "g", "rates": {}, "overload": "SHEDDING"}, "routes": [route], "services": []}  # fmt: skip
    text = list(lines(found, "10s", "rate", width))
    assert all(len(line) <= width for line in text[:-4])
    assert not any("\x1b" in line for line in text)
    assert "… and 4 more, with fewer requests" in text
