"""Probes of a gateway as people start it, each cause of not being ready brought about; a worker that is down without
another stands in ``test_worker_kills``, with the rest of crash loops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.serving import Serving, serve_process

from .test_serve import get, shop, until

JSON = {"Accept": "application/json"}


@pytest.fixture
def config(tmp_path: Path, backend_port: int) -> Path:
    file = tmp_path / "gateway.ttl"
    file.write_text(shop(backend_port))
    return file


async def probed(url: str) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=JSON) as answer:
        return answer.status, answer.content_type, json.loads(await answer.text())


async def test_who_asks_for_json_gets_reasons(config: Path) -> None:
    with serve_process(config, "--workers", "2") as gateway:

        async def both_serve() -> bool:
            return (await probed(gateway.admin + "/readyz"))[2]["checks"][-1].get("serving") == 2

        await until(both_serve, 20.0)
        workers = {"check": "workers", "ok": True, "serving": 2, "wanted": 2, "failing": []}
        checks = {
            "live": [{"check": "loop", "ok": True}],
            "started": [{"check": "table", "ok": True}],
            "ready": [
                {"check": "table", "ok": True, "revision": 1},
                {"check": "listeners", "ok": True, "open": 1},
                {"check": "draining", "ok": True},
                workers,
            ],
        }
        for path, word in (("livez", "live"), ("startupz", "started"), ("readyz", "ready")):
            said = {"status": word, "checks": checks[word]}
            assert await probed(f"{gateway.admin}/{path}") == (200, "application/json", said)
            assert json.loads((await get(f"{gateway.admin}/{path}?format=json"))[1]) == said
            for form in ({"headers": {"Accept": "*/*"}}, {"headers": JSON, "params": {"format": "text"}}):
                assert await get(f"{gateway.admin}/{path}", **form) == (200, word + "\n")
            assert (await get(f"{gateway.admin}/{path}?format=xml"))[0] == 400


async def test_not_ready_while_nothing_valid_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    os.mkfifo(file)  # whoever reads it waits
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    gateway = Serving("--workers", "1", "--port", "0", "--admin-port", str(port), str(file))
    try:
        url = f"http://127.0.0.1:{port}"

        async def answers() -> bool:
            try:
                return (await get(url + "/livez")) == (200, "live\n")
            except aiohttp.ClientConnectionError:
                return False

        await until(answers, 30.0)
        for path, failing in (("/readyz", ["table", "listeners", "workers"]), ("/startupz", ["table"])):
            status, form, said = await probed(url + path)
            assert (status, form) == (503, "application/problem+json")
            assert said["type"] == "urn:agw:problem:not-ready"
            assert said["detail"].startswith("the first configuration is still being loaded")
            assert [check["check"] for check in said["checks"] if not check["ok"]] == failing
            assert all(check["reason"] for check in said["checks"] if not check["ok"])
    finally:
        gateway.process.kill()
        gateway.process.wait()


async def test_not_ready_while_draining(config: Path) -> None:
    with serve_process(config, "--workers", "1") as gateway:
        (worker,) = gateway.workers
        os.kill(worker, signal.SIGSTOP)
        running = asyncio.create_task(get(gateway.url + "/r0/x"))
        await asyncio.sleep(0.2)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.said("stopping")
        status, _, said = await probed(gateway.admin + "/readyz")
        assert (status, said["detail"]) == (503, "draining")
        assert said["checks"] == [{"check": "draining", "ok": False, "reason": "draining"}]
        assert await get(gateway.admin + "/livez") == (200, "live\n")
        assert (await get(gateway.admin + "/startupz"))[0] == 200
        os.kill(worker, signal.SIGCONT)
        assert (await running)[0] == 200
        assert gateway.end() == 0
