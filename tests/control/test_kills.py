"""A whole gateway, killed while it takes updates: what was acknowledged is served by the next one.

Eight kills by default; ``AGW_GATEWAY_KILLS=200`` makes more of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.support.serving import Serving, serve_process

from .test_serve import get, json_of, shop
from .test_update import PREFIX, update

KILLS = int(os.environ.get("AGW_GATEWAY_KILLS", "8"))
SET = "DELETE {{ ?l agw:priority ?o }} INSERT {{ ?l agw:priority {0} }} WHERE {{ ?l a agw:Route OPTIONAL {{ ?l agw:priority ?o }} }}"


async def priority(gateway: Serving) -> int:
    query = PREFIX + "SELECT ?p { GRAPH <urn:agw:graph:config> { ex:r0 agw:priority ?p } }"
    async with aiohttp.ClientSession() as session:
        async with session.post(gateway.admin + "/sparql", data={"query": query}) as answer:
            rows = (await answer.json())["results"]["bindings"]
    return int(rows[0]["p"]["value"]) if rows else 0


@pytest.mark.timeout(120 + 40 * KILLS)
async def test_killed_at_any_instant(tmp_path: Path, backend_port: int) -> None:
    rng = random.Random("gateways")
    seed = tmp_path / "gateway.ttl"
    seed.write_text(shop(backend_port, routes=3))
    acknowledged = attempted = 0
    for _ in range(KILLS + 1):
        with serve_process("--store", tmp_path / "store", seed, "--workers", "1") as gateway:
            assert (await get(gateway.url + "/r0/x"))[0] == 200
            found = await priority(gateway)
            assert found in range(acknowledged, attempted + 1), (
                "what was acknowledged is gone, or what never was is there"
            )
            listed = await json_of(gateway.admin + "/revisions")
            # Every update changes all three routes: half of one would show as unequal priorities.
            query = PREFIX + "SELECT DISTINCT ?p { GRAPH <urn:agw:graph:config> { ?r agw:priority ?p } }"
            async with aiohttp.ClientSession() as session:
                async with session.post(gateway.admin + "/sparql", data={"query": query}) as answer:
                    assert len((await answer.json())["results"]["bindings"]) == min(found, 1)
            assert listed[0]["revision"] == found + 1  # type: ignore[index]
            acknowledged = attempted = found

            async def write() -> None:
                nonlocal acknowledged, attempted
                try:
                    while True:
                        attempted += 1
                        status, text, _ = await update(gateway, SET.format(attempted))
                        assert status == 200, text
                        acknowledged = json.loads(text)["revision"] - 1
                except (aiohttp.ClientError, OSError):
                    pass

            writing = asyncio.create_task(write())
            await asyncio.sleep(rng.random() * 0.6)
            gateway.process.send_signal(signal.SIGKILL)
            await writing
            gateway.process.wait()


async def test_a_full_disk_is_told_and_survived(tmp_path: Path, backend_port: int) -> None:
    """A limit on the size of files stands for the full disk: the journal's write is cut short."""
    seed = tmp_path / "gateway.ttl"
    seed.write_text(shop(backend_port))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve_process("--store", tmp_path / "store", seed, "--workers", "1") as gateway:
        journal = next((tmp_path / "store").glob("journal-*"))
        room = journal.stat().st_size + 1500
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (room, hard))
        number, status = 0, 200
        while status == 200:
            number += 1
            status, text, _ = await update(gateway, SET.format(number))
        assert (status, json.loads(text)["type"]) == (507, "urn:agw:problem:store-unavailable")
        assert "make room" in text
        assert (await get(gateway.url + "/r0/x"))[0] == 200
        assert await priority(gateway) == number - 1
        assert journal.stat().st_size <= room
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        assert (await update(gateway, SET.format(77)))[0] == 200
        gateway.process.kill()
        gateway.process.wait()
    with serve_process("--store", tmp_path / "store", "--workers", "1") as gateway:
        assert await priority(gateway) == 77


async def test_a_torn_write_is_cut_off_and_said(tmp_path: Path, backend_port: int) -> None:
    seed = tmp_path / "gateway.ttl"
    seed.write_text(shop(backend_port))
    with serve_process("--store", tmp_path / "store", seed, "--workers", "1") as gateway:
        assert (await update(gateway, SET.format(5)))[0] == 200
        gateway.process.kill()
        gateway.process.wait()
    journal = next((tmp_path / "store").glob("journal-*"))
    with journal.open("ab") as stream:
        stream.write(b"\xa9AGW\0\0\0\0\0\0\1\0half of a record")
    with serve_process("--store", tmp_path / "store", "--workers", "1") as gateway:
        gateway.said("28 bytes of a change that was never acknowledged")
        assert await priority(gateway) == 5
