"""Two backends, the gateway, and Zipkin and Prometheus where they are installed; then one request, and what each says.

The first backend asks the second through the gateway, and passes on the trace that it was told. What the gateway says
in its access log is compared with what Zipkin and Prometheus found: they must agree.

Ports: 8080 (gateway), 9901 (its admin side), 9001 and 9002 (backends), 9411 (Zipkin), 9090 (Prometheus); with
``--free-ports`` any that are free.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRACE = os.urandom(16).hex()
PORTS = {port: port for port in (8080, 9901, 9001, 9002, 9411, 9090)}
TOTALS = "sum by (route) (agw_requests_total) > 0"


class Backend(BaseHTTPRequestHandler):
    """Orders ask for stock."""

    def do_GET(self) -> None:
        if self.path.startswith("/orders/"):
            onward = {"traceparent": self.headers["traceparent"]}
            ask("/stock/7", onward)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The gateway logs."""


def at(port: int, path: str) -> str:
    """A URL of this machine."""
    return f"http://127.0.0.1:{PORTS[port]}{path}"


def ask(path: str, headers: dict[str, str]) -> None:
    """Ask the gateway."""
    request = urllib.request.Request(at(8080, path), headers=headers)  # noqa: S310 - of this machine
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def choose_ports() -> None:
    """Free ones in the place of the usual."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    PORTS.update(zip(PORTS, (one.getsockname()[1] for one in held), strict=True))
    for one in held:
        one.close()


def written(name: str, folder: str) -> Path:
    """A file of the example, with the ports that are used."""
    text = (HERE / name).read_text(encoding="utf-8")
    for usual, used in PORTS.items():
        text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{used}")
    made = Path(folder) / name
    made.write_text(text, encoding="utf-8")
    return made


def answer(url: str, seconds: float = 90.0) -> bytes:
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


def until(url: str, enough: Callable[[Any], bool], seconds: float = 90.0) -> Any:
    """The JSON at a URL, once it is `enough`."""
    end = time.monotonic() + seconds
    while not enough(found := json.loads(answer(url))):
        if time.monotonic() > end:
            sys.exit(f"{url} says no more than {found}")
        time.sleep(0.2)
    return found


def logged(file: Path, lines: int, seconds: float = 30.0) -> list[dict[str, Any]]:
    """The access log's lines of the trace, once there are so many."""
    end = time.monotonic() + seconds
    while True:
        every = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
        found = [line for line in every if line.get("trace_id") == TRACE]
        if len(found) >= lines:
            return found
        if time.monotonic() > end:
            sys.exit(f"the access log has no more than {found}")
        time.sleep(0.1)


def main() -> None:
    """Start all, ask once, hold what was seen together, end all."""
    if "--free-ports" in sys.argv:
        choose_ports()
    for port in (9001, 9002):
        server = ThreadingHTTPServer(("127.0.0.1", PORTS[port]), Backend)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        agw = [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(written("gateway.ttl", folder))]
        commands = [[*agw, "--port", str(PORTS[8080]), "--admin-port", str(PORTS[9901]), "--workers", "1"]]
        if shutil.which("zipkin"):
            commands.append(["zipkin"])
        if shutil.which("prometheus"):
            data = f"--storage.tsdb.path={folder}/data"
            listen = f"--web.listen-address=127.0.0.1:{PORTS[9090]}"
            config = written("prometheus.yml", folder)
            commands.append(["prometheus", f"--config.file={config}", data, listen])
        environment = {**os.environ, "QUERY_PORT": str(PORTS[9411])}  # where Zipkin listens
        said = Path(folder) / "said"
        with said.open("wb") as output:
            started = [
                subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
                for command in commands[:1]
            ]
            quiet = subprocess.DEVNULL
            started += [subprocess.Popen(each, stdout=quiet, stderr=quiet, env=environment) for each in commands[1:]]
        try:
            watched(said)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


def watched(said: Path) -> None:
    """One request, and what each says of it."""
    if shutil.which("zipkin"):
        answer(at(9411, "/health"))
    answer(at(9901, "/readyz"))
    headers = {"traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"}
    ask("/orders/7", headers)
    lines = logged(said, 2)
    print(f"agw: {len(lines)} requests of one trace in its log")
    if shutil.which("zipkin"):
        spans = until(at(9411, f"/api/v2/trace/{TRACE}"), lambda found: len(found) >= 4)
        print(f"Zipkin: {len(spans)} spans of one trace")
        told = {span["tags"]["agw.request_id"]: span["tags"]["agw.route"] for span in spans if span["kind"] == "SERVER"}
        if told != {line["request_id"]: line["route"] for line in lines}:
            sys.exit(f"Zipkin has the requests {told}, the log {lines}")
    if shutil.which("prometheus"):
        routes = {line["route"]: "1" for line in lines}

        def counted(found: Any) -> dict[str, str]:
            return {row["metric"]["route"]: row["value"][1] for row in found["data"]["result"]}

        query = at(9090, f"/api/v1/query?query={urllib.parse.quote(TOTALS)}")
        until(query, lambda found: counted(found) == routes)
        print(f"Prometheus: {len(routes)} requests")


if __name__ == "__main__":
    main()
