"""Two backends, the gateway, and Zipkin or Jaeger, and Prometheus, where they are installed; then one request, and what
each says.

The first backend asks the second through the gateway, and passes on the trace that it was told. What the gateway says
in its access log is compared with what Zipkin (or Jaeger) and Prometheus found: they must agree.

With ``zipkin`` or ``jaeger`` as an argument that one keeps the traces, else the first of them that is installed.

Ports: 8080 (gateway), 9901 (its admin side), 9001 and 9002 (backends), 9411 (Zipkin), 4318 and 16686 (Jaeger), 9090
(Prometheus); with ``--free-ports`` any that are free.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
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
STARTED: list[subprocess.Popen[bytes]] = []
JAEGERS_OTHERS = (4317, 14250, 14268, 14269, 16685)
PORTS = {port: port for port in (8080, 9901, 9001, 9002, 9411, 9090, 4318, 16686, *JAEGERS_OTHERS)}
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
    """Free ones in the place of the usual; below those that a system hands out, so that nobody gets one meanwhile."""
    held: list[socket.socket] = []
    while len(held) < len(PORTS):
        with contextlib.suppress(OSError):
            held.append(socket.create_server(("127.0.0.1", random.randrange(10000, 32000))))  # noqa: S311 - no secret
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


def answer(url: str, seconds: float = 180.0) -> bytes:
    """What a URL says, once it says something."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as said:  # noqa: S310 - of this machine
                body: bytes = said.read()
                return body
        except OSError:
            for process in STARTED:
                if process.poll() is not None:
                    sys.exit(f"{process.args!r} has ended: {process.returncode}")
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


def tracer() -> str:
    """Who keeps the traces: "zipkin" or "jaeger", or "" where neither is installed."""
    asked = [name for name in ("zipkin", "jaeger") if name in sys.argv]
    found = [name for name in asked or ("zipkin", "jaeger") if shutil.which(name)]
    if asked and not found:
        sys.exit(f"{asked[0]} is not installed: there is no such command")
    return found[0] if found else ""


def tracer_command(name: str) -> list[str]:
    """How it is started. Jaeger has its usual ports, unless others were chosen."""
    if name == "zipkin" or PORTS[4318] == 4318:
        return [name]
    flags = {
        "collector.otlp.http": 4318,
        "collector.otlp.grpc": 4317,
        "collector.grpc-server": 14250,
        "collector.http-server": 14268,
        "admin.http": 14269,
        "query.grpc-server": 16685,
        "query.http-server": 16686,
    }
    return [name, *(f"--{flag}.host-port=127.0.0.1:{PORTS[port]}" for flag, port in flags.items())]


def configuration(folder: str, name: str) -> Path:
    """The example's configuration, which tells Zipkin, as one that tells who keeps the traces."""
    file = written("gateway.ttl", folder)
    if name == "jaeger":
        zipkin = f'"zipkin" ;\n    agw:traceCollector "{at(9411, "/api/v2/spans")}"'
        jaeger = f'"otlp" ;\n    agw:traceCollector "{at(4318, "/v1/traces")}"'
        text = file.read_text(encoding="utf-8")
        assert zipkin in text
        file.write_text(text.replace(zipkin, jaeger), encoding="utf-8")
    return file


def main() -> None:
    """Start all, ask once, hold what was seen together, end all."""
    if "--free-ports" in sys.argv:
        choose_ports()
    keeper = tracer()
    for port in (9001, 9002):
        server = ThreadingHTTPServer(("127.0.0.1", PORTS[port]), Backend)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        agw = [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(configuration(folder, keeper))]
        commands = [[*agw, "--port", str(PORTS[8080]), "--admin-port", str(PORTS[9901]), "--workers", "1"]]
        if keeper:
            commands.append(tracer_command(keeper))
        if shutil.which("prometheus"):
            data = f"--storage.tsdb.path={folder}/data"
            listen = f"--web.listen-address=127.0.0.1:{PORTS[9090]}"
            config = written("prometheus.yml", folder)
            commands.append(["prometheus", f"--config.file={config}", data, listen])
        environment = {**os.environ, "QUERY_PORT": str(PORTS[9411])}  # where Zipkin listens
        said = Path(folder) / "said"
        with said.open("wb") as output:
            for command in commands:
                gateway = command is commands[0]
                where = output if gateway else subprocess.DEVNULL
                STARTED.append(subprocess.Popen(command, stdout=where, stderr=where, env=environment))
        try:
            watched(said, keeper)
        finally:
            for process in STARTED:
                process.terminate()
            for process in STARTED:
                process.wait()


def watched(said: Path, keeper: str) -> None:
    """One request, and what each says of it."""
    if keeper:
        answer(at(9411, "/health") if keeper == "zipkin" else at(16686, "/api/services"))
    answer(at(9901, "/readyz"))
    headers = {"traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"}
    ask("/orders/7", headers)
    lines = logged(said, 2)
    print(f"agw: {len(lines)} requests of one trace in its log")
    if keeper:
        spans = zipkins_spans() if keeper == "zipkin" else jaegers_spans()
        print(f"{keeper.capitalize()}: {len(spans)} spans of one trace")
        told = {tags["agw.request_id"]: tags["agw.route"] for kind, tags in spans if kind == "server"}
        if told != {line["request_id"]: line["route"] for line in lines}:
            sys.exit(f"{keeper.capitalize()} has the requests {told}, the log {lines}")
    if shutil.which("prometheus"):
        routes = {line["route"]: "1" for line in lines}

        def counted(found: Any) -> dict[str, str]:
            return {row["metric"]["route"]: row["value"][1] for row in found["data"]["result"]}

        query = at(9090, f"/api/v1/query?query={urllib.parse.quote(TOTALS)}")
        until(query, lambda found: counted(found) == routes)
        print(f"Prometheus: {len(routes)} requests")


def zipkins_spans() -> list[tuple[str, dict[str, Any]]]:
    """The trace in Zipkin: of each span its kind and tags."""
    spans = until(at(9411, f"/api/v2/trace/{TRACE}"), lambda found: len(found) >= 4)
    return [(span["kind"].lower(), span["tags"]) for span in spans]


def jaegers_spans() -> list[tuple[str, dict[str, Any]]]:
    """The trace in Jaeger: of each span its kind and tags."""
    found = until(at(16686, f"/api/traces/{TRACE}"), lambda found: len(jaegers_trace(found)) >= 4)
    tagged = [{tag["key"]: tag["value"] for tag in span["tags"]} for span in jaegers_trace(found)]
    return [(tags["span.kind"], tags) for tags in tagged]


def jaegers_trace(found: Any) -> list[Any]:
    """The spans of an answer; none of one that knows no such trace yet."""
    traces = found["data"] or [{"spans": []}]
    return list(traces[0]["spans"])


if __name__ == "__main__":
    main()
