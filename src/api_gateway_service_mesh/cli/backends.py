"""Small real HTTP backends for ``agw demo``: each answers JSON that says who it is, and fails when told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Backend"]


class Backend:
    """One service on a free loopback port. `failing` makes it answer 500; `hits` counts what reached it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failing = False
        self.hits = 0
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Serve from a thread until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port. Idempotent."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that gives up on an answer closes the connection; that is no news for the demo's terminal."""


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self.rfile.read(length)
            backend.hits += 1
            body = json.dumps({"service": backend.name, "method": self.command, "path": self.path}).encode() + b"\n"
            self.send_response(500 if backend.failing and not self.path.startswith("/health") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Backend", backend.name)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
            """The demo prints its own story."""

    return Handler
