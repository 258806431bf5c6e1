"""Envoy as agw configures it, in front of the backends of a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from api_gateway_service_mesh.manifests.envoy import resources, static_bootstrap
from api_gateway_service_mesh.model import Listener, Mesh
from tests.peers.envoy import ENVOY

__all__ = ["ENVOY", "envoy_of", "free_port", "started"]


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def envoy_of(mesh: Mesh, folder: Path) -> AsyncIterator[int]:
    """A running Envoy with all of `mesh` in its bootstrap; its port."""
    port = free_port()
    here = replace(mesh, listeners=(Listener(mesh.iri, port, "127.0.0.1"),))
    made = resources(here, dynamic=False)
    (folder / "bootstrap.json").write_text(json.dumps(static_bootstrap(made, node="test", admin=None)))
    async with started(folder / "bootstrap.json", port):
        yield port


@contextlib.asynccontextmanager
async def started(bootstrap: Path, *ports: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Envoy with one worker; it listens on `ports`."""
    folder = bootstrap.parent
    command = [str(ENVOY), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(60):
            for port in ports:
                while True:
                    if process.poll() is not None:
                        raise AssertionError(f"envoy ended: {(folder / 'envoy.log').read_text()[-4000:]}")
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    await asyncio.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()
