"""Served before it is read: what the last run compiled, when workers come and go, and when it is not what it says."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import pickle
import signal
from pathlib import Path

from api_gateway_service_mesh.control.compiled import _Unpickler
from tests.support.serving import serve_process

from .test_serve import get, json_of, shop
from .test_update import ADD, update


async def test_a_worker_that_ends_at_a_warm_start_comes_back(tmp_path: Path, backend_port: int) -> None:
    """It gets what was kept, as those before it did, and then the changes that came since."""
    seed, store = tmp_path / "gateway.ttl", tmp_path / "store"
    seed.write_text(shop(backend_port))
    with serve_process("--store", store, seed, "--workers", "2") as gateway:
        assert (await update(gateway, ADD.format(1)))[0] == 200
    with serve_process("--store", store, "--workers", "2") as gateway:
        assert any("last run" in line for line in gateway.lines)
        os.kill(gateway.workers[0], signal.SIGKILL)
        gateway.said("starting it again")
        assert (await get(gateway.url + "/n1/x"))[0] == 200
        for _ in range(600):
            status = (await update(gateway, ADD.format(2)))[0]
            if status == 200:
                break
            await asyncio.sleep(0.1)
        for _ in range(20):
            assert (await get(gateway.url + "/n2/x"))[0] == 200


async def test_what_workers_cannot_read_is_compiled_anew(tmp_path: Path, backend_port: int) -> None:
    """Its first part is a model and its digest is right, so it comes as far as the workers."""
    seed, store = tmp_path / "gateway.ttl", tmp_path / "store"
    seed.write_text(shop(backend_port))
    with serve_process("--store", store, seed, "--workers", "1") as gateway:
        assert (await update(gateway, ADD.format(1)))[0] == 200
    (kept,) = (path for path in store.rglob("*") if path.is_file() and path.read_bytes().startswith(b"agw compiled"))
    magic, line, body = kept.read_bytes().split(b"\n", 2)
    stream = io.BytesIO(body)
    _Unpickler(stream).load()
    bad = body[: stream.tell()] + pickle.dumps("no routes")
    named = line.split()[0] + b" " + hashlib.sha256(bad).hexdigest().encode()
    kept.write_bytes(b"\n".join((magic, named, bad)))
    with serve_process("--store", store, "--workers", "1") as gateway:
        assert any("what the last run compiled is not taken" in line for line in gateway.lines)
        assert not any("served as the last run" in line for line in gateway.lines)
        assert (await get(gateway.url + "/n1/x"))[0] == 200
        assert (await json_of(gateway.admin + "/revisions"))[0]["revision"] == 2  # type: ignore[index]
