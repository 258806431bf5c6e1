"""Real collectors of spans, for one test module: a Zipkin put together by .ci/servers/zipkin, and a Jaeger where there
is one."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Collector", "jaeger", "needs_jaeger", "needs_zipkin", "otlp_collector", "zipkin"]

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


@contextlib.contextmanager
def otlp_collector(request: Any, answer: bytes, method: str | None = None) -> Iterator[tuple[str, list[Any]]]:
    """A collector that reads messages of the class `request`, keeps them, and says `answer`: over HTTP, or (with a
    `method`) over gRPC. Where it is, and what it has got."""
    taken: list[Any] = []
    if method is None:

        class Takes(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/x-protobuf"
                taken.append(request.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Takes)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{web.server_address[1]}/v1/any", taken
        finally:
            web.shutdown()
            web.server_close()
        return
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

    def export(message: Any, _context: Any) -> bytes:
        taken.append(message)
        return answer

    name, _, called = method.lstrip("/").partition("/")
    handler = grpc.unary_unary_rpc_method_handler(export, request_deserializer=request.FromString)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {called: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", taken
    finally:
        server.stop(None).wait()
