"""Two backends, the gateway, and Zipkin and Prometheus where they are installed; then one request, and what they say.

The first backend asks the second through the gateway, and passes on the trace that it was told. Ports: 8080 (gateway),
9901 (its admin side), 9001 and 9002 (backends), 9411 (Zipkin), 9090 (Prometheus).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRACE = os.urandom(16).hex()


class Backend(BaseHTTPRequestHandler):
    """Orders ask for stock."""

    def do_GET(self) -> None:
        if self.path.startswith("/orders/"):
            onward = {"traceparent": self.headers["traceparent"]}
            urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8080/stock/7", headers=onward)).close()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The gateway logs."""


def answer(url: str, seconds: float = 60.0) -> bytes:
    """What a URL says, once it says something."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as said:  # noqa: S310 - of this machine
                body: bytes = said.read()
                return body
        except OSError:
            if time.monotonic() > end:
                sys.exit(f"{url} says nothing")
            time.sleep(0.2)


def until(url: str, enough: Callable[[Any], bool], seconds: float = 60.0) -> Any:
    """The JSON at a URL, once it is `enough`."""
    end = time.monotonic() + seconds
    while not enough(found := json.loads(answer(url))):
        if time.monotonic() > end:
            sys.exit(f"{url} says no more than {found}")
        time.sleep(0.2)
    return found


def main() -> None:
    """Start all, ask once, tell what was seen, end all."""
    for port in (9001, 9002):
        threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Backend).serve_forever, daemon=True).start()
    agw = [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(HERE / "gateway.ttl"), "--port", "8080"]
    with tempfile.TemporaryDirectory() as folder:
        commands = [agw]
        if shutil.which("zipkin"):
            commands.append(["zipkin"])
        if shutil.which("prometheus"):
            data = f"--storage.tsdb.path={folder}"
            listen = "--web.listen-address=127.0.0.1:9090"
            commands.append(["prometheus", f"--config.file={HERE / 'prometheus.yml'}", data, listen])
        quiet = subprocess.DEVNULL
        started = [subprocess.Popen(command, stdout=quiet, stderr=quiet) for command in commands]
        try:
            if shutil.which("zipkin"):
                answer("http://127.0.0.1:9411/health")
            answer("http://127.0.0.1:9901/readyz")
            headers = {"traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"}
            urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8080/orders/7", headers=headers)).close()
            if shutil.which("zipkin"):
                spans = until(f"http://127.0.0.1:9411/api/v2/trace/{TRACE}", lambda found: len(found) >= 4)
                print(f"Zipkin: {len(spans)} spans of one trace")
            if shutil.which("prometheus"):
                query = "http://127.0.0.1:9090/api/v1/query?query=sum(agw_requests_total)%20%3E%201"
                found = until(query, lambda found: bool(found["data"]["result"]))
                print(f"Prometheus: {found['data']['result'][0]['value'][1]} requests")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


if __name__ == "__main__":
    main()
