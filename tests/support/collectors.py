"""Real collectors of spans, for one test module: a Zipkin put together by .ci/servers/zipkin, and a Jaeger where there
is one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Collector", "jaeger", "needs_jaeger", "needs_zipkin", "zipkin"]

needs_zipkin = pytest.mark.skipif(shutil.which("zipkin") is None, reason="no zipkin: see .ci/servers")
needs_jaeger = pytest.mark.skipif(shutil.which("jaeger") is None, reason="no jaeger: see .ci/servers")


class Collector:
    """A collector: where spans are sent (over HTTP, and over gRPC), and how its query API is asked."""

    def __init__(self, takes: str, query: str, path: str, takes_grpc: str = "") -> None:
        self.takes = takes
        self.takes_grpc = takes_grpc
        self._query = query
        self._path = path

    def ask(self, path: str) -> Any:
        """JSON from the query API; None when there is no such thing, or it is no JSON."""
        try:
            with urllib.request.urlopen(self._query + path, timeout=10) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):
            return None

    def trace(self, trace_id: str, spans: int, seconds: float = 40.0) -> Any:
        """What it has of a trace, once it has that many spans of it."""
        end = time.monotonic() + seconds
        while True:
            found = self.ask(self._path + trace_id)
            held = found["data"][0]["spans"] if isinstance(found, dict) and found.get("data") else found
            if isinstance(held, list) and len(held) >= spans:
                return found
            assert time.monotonic() < end, f"never had {spans} spans of {trace_id}: {found}"
            time.sleep(0.2)


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _up(command: list[str], more: dict[str, str], folder: Path, ready: Callable[[], bool]) -> Iterator[None]:
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **more}, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 90.0
        while not ready():
            assert process.poll() is None and time.monotonic() < end, said.read_text("utf-8", "replace")[-2000:]
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def zipkin(folder: Path) -> Iterator[Collector]:
    """A Zipkin that keeps spans in memory."""
    (port,) = _ports(1)
    url = f"http://127.0.0.1:{port}"
    found = Collector(f"{url}/api/v2/spans", url, "/api/v2/trace/")
    with _up(["zipkin"], {"QUERY_PORT": str(port)}, folder, lambda: found.ask("/api/v2/services") is not None):
        yield found


@contextlib.contextmanager
def jaeger(folder: Path) -> Iterator[Collector]:
    """A Jaeger, all in one program, that keeps spans in memory. Its other ports are chosen too."""
    http, query, *others = _ports(8)
    flags = [
        f"--collector.otlp.http.host-port=127.0.0.1:{http}",
        f"--query.http-server.host-port=127.0.0.1:{query}",
        f"--collector.otlp.grpc.host-port=127.0.0.1:{others[0]}",
        f"--query.grpc-server.host-port=127.0.0.1:{others[1]}",
        f"--collector.http-server.host-port=127.0.0.1:{others[2]}",
        f"--collector.grpc-server.host-port=127.0.0.1:{others[3]}",
        f"--admin.http.host-port=127.0.0.1:{others[4]}",
        "--collector.otlp.enabled=true",
    ]
    found = Collector(
        f"http://127.0.0.1:{http}/v1/traces",
        f"http://127.0.0.1:{query}",
        "/api/traces/",
        f"http://127.0.0.1:{others[0]}",
    )
    with _up(["jaeger", *flags], {}, folder, lambda: found.ask("/api/services") is not None):
        yield found
