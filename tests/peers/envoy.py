"""Envoy in front of the same backends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from .case import Json

__all__ = ["ENVOY", "envoy"]

ENVOY = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
FILTERS = "type.googleapis.com/envoy.extensions.filters"


def _config(front: int, routes: list[Json], clusters: list[Json]) -> str:
    limit = {"@type": f"{FILTERS}.http.local_ratelimit.v3.LocalRateLimit", "stat_prefix": "limit"}
    manager = {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "f",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "strip_any_host_port": True,
        "strip_trailing_host_dot": True,
        "http_filters": [
            {"name": "limit", "typed_config": limit},
            {"name": "r", "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["shop", "shop.example.com"], "routes": routes}]},
    }
    listener = {
        "name": "f",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": front}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}, indent=1)


@contextlib.asynccontextmanager
async def envoy(folder: Path, routes: list[Json], clusters: list[Json]) -> AsyncIterator[int]:
    """A running Envoy with one worker; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        front = probe.getsockname()[1]
    (folder / "envoy.json").write_text(_config(front, routes, clusters))
    command = [str(ENVOY), "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(60):
            while True:
                if process.poll() is not None:
                    raise AssertionError(f"envoy ended: {(folder / 'envoy.log').read_text()}")
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", front)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield front
    finally:
        process.kill()
        process.wait()
