"""How long a configuration takes on its way to being served, stage by stage, and how long a change of one route takes.

    python -m tests.benchmarks.control_plane [--routes 1000 10000] [--rounds 5] [--against CHECKOUT/src]

Prints, for each size: the stages of a first build and of a build on the one before it (one route changed), the time from
starting ``agw serve`` until ``/readyz`` says yes (the first time, and again from what that run compiled), the processor
time of all its processes until then, and what ``agw serve --watch`` says a change of one route took to be live; beside them ``nginx -t`` and ``envoy --mode validate`` on tables of the same paths, where those programs are there.
With ``--against`` another checkout's package is measured in turns with this one, so that both meet the same machine.
Nothing is asserted: times depend on the machine, ratios less.
"""

from __future__ import annotations

import argparse
import gc
import inspect as signatures
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
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.turtle import routes_turtle

from . import machine

_ROOT = Path(__file__).parents[2]
_LIVE = re.compile(r"revision \d+ is live after ([0-9.]+) s")

Samples = dict[str, float]


def main() -> int:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.control_plane", description=__doc__)
    parser.add_argument("--routes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--rounds", type=int, default=5, help="alternations (default: 5)")
    parser.add_argument("--against", type=Path, help="the src folder of another checkout, measured in turns")
    parser.add_argument("--stages", type=int, help=argparse.SUPPRESS)  # what the measured processes are started with
    options = parser.parse_args()
    if options.stages is not None:
        print(json.dumps(_stages(options.stages)))
        return 0
    programs = {"agw": _ROOT / "src"} | ({"against": options.against.resolve()} if options.against else {})
    for routes in options.routes:
        found: dict[str, list[Samples]] = {name: [] for name in programs}
        with tempfile.TemporaryDirectory(prefix="agw-control-plane-") as folder:
            for _ in range(options.rounds):
                for name, source in programs.items():
                    found[name].append(_measured(source, routes) | _served(source, routes, Path(folder)))
            _show(routes, found, _others(routes, options.rounds, Path(folder)))
    return 0


# -- in a process of its own: the stages


def _stages(routes: int) -> Samples:
    """Each stage once, with nothing else on the heap, and a build on the one before."""
    found: Samples = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        found[name] = time.perf_counter() - started

    with timed("import"):
        from api_gateway_service_mesh.control.build import build
        from api_gateway_service_mesh.graph import SourceGraph, infer, validate
        from api_gateway_service_mesh.projection import assemble, project
        from api_gateway_service_mesh.routing import compile_table
    text = routes_turtle(routes)
    build(SourceGraph.parse(routes_turtle(3)))  # ontology, shapes and queries are read once
    gc.collect()
    gc.disable()
    with timed("load"):
        source = SourceGraph.parse(text)
    with timed("infer"):
        inferred = infer(source)
    with timed("validate"):
        validate(inferred)
    with timed("project"):
        rows = project(inferred)
    with timed("assemble"):
        mesh = assemble(rows, inferred).mesh
    with timed("compile"):
        compile_table(mesh)
    with timed("build"):
        built = build(source)
    on_top = {"previous": built} if "previous" in signatures.signature(build).parameters else {}
    for _ in range(2):  # the first one also makes what later ones find made
        text = _changed(text)
        with timed("load again"):
            source = SourceGraph.parse(text)
        with timed("build again"):
            built = build(source, **on_top)
        on_top = {"previous": built} if on_top else {}
    return found


def _changed(text: str) -> str:
    """The same configuration, but for the path of one route."""
    return re.sub(r'(agw:routePath "/api/v1/thing3)([^"]*)"', r'\1\2x"', text, count=1)


def _measured(source: Path, routes: int) -> Samples:
    command = [sys.executable, "-m", "tests.benchmarks.control_plane", "--stages", str(routes)]
    run = subprocess.run(command, env=_environment(source), cwd=_ROOT, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(run.stdout))


def _environment(source: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(source), str(_ROOT)))}


# -- the whole program


def _served(source: Path, routes: int, folder: Path) -> Samples:
    """From starting the program to ``/readyz``, and what it says of three changes of one route (the middle one)."""
    text = routes_turtle(routes)
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        file = Path(cache) / "gateway.ttl"
        file.write_text(text)
        with _started(source, file) as (process, found):
            live: list[float] = []
            seen: list[float] = []
            assert process.stderr is not None
            for _ in range(3):
                text = _changed(text)
                swapped = file.with_suffix(".new")
                swapped.write_text(text)
                changed = time.perf_counter()
                swapped.replace(file)
                for line in process.stderr:
                    told = _LIVE.search(line)
                    if told:
                        live.append(float(told[1]))
                        seen.append(time.perf_counter() - changed)
                        break
            found |= {"reload, as told": statistics.median(live), "edit to live": statistics.median(seen)}
        with _started(source, file) as (_, again):
            return found | {f"again: {name}": seconds for name, seconds in again.items()}


@contextmanager
def _started(source: Path, file: Path) -> Iterator[tuple[subprocess.Popen[str], Samples]]:
    """The program, ready, and what it took until then. What it compiles is kept beside the file."""
    port, admin = _free_ports(2)
    command = [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(file), "--watch"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin), "--workers", "1"]
    environment = {**_environment(source), "XDG_CACHE_HOME": str(file.parent)}
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _ready(admin):
                if process.poll() is not None:
                    raise SystemExit(f"agw serve ended: {process.stderr.read() if process.stderr else ''}")
                time.sleep(0.01)
            taken = time.perf_counter() - started
            yield process, {"start to ready": taken, "processor time": sum(map(_spent, _family(process.pid)))}
        finally:
            process.terminate()


def _family(root: int) -> list[int]:
    """A process and its children."""
    found = [root]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == root:
                found.append(int(process.name))
    return found


def _spent(process: int) -> float:
    """Processor time so far, in seconds (utime and stime of proc_pid_stat(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


# -- the others


def _others(routes: int, rounds: int, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    checks: dict[str, Callable[[str, int, Path], list[str]]] = {"nginx": _nginx, "envoy": _envoy}
    for name, command in checks.items():
        program = machine.find(name) or shutil.which(name)
        if program is None:
            continue
        arguments = command(str(program), routes, folder)
        samples = []
        for _ in range(rounds):
            started = time.perf_counter()
            run = subprocess.run(arguments, check=False, capture_output=True, text=True)
            samples.append(time.perf_counter() - started)
            if run.returncode:
                raise SystemExit(f"{name} refuses its table: {run.stderr[-400:]}")
        found[" ".join((name, arguments[1] if name == "nginx" else "--mode validate"))] = statistics.median(samples)
    return found


def _paths(routes: int) -> Iterator[tuple[str, str]]:
    """The path and backend address of every route."""
    text = routes_turtle(routes)
    yield from zip(re.findall(r'routePath "([^"]+)"', text), re.findall(r'address "([^"]+)"', text), strict=True)


def _nginx(program: str, routes: int, folder: Path) -> list[str]:
    locations = []
    for path, address in _paths(routes):
        if "{" in path:
            match = "~ ^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"
        else:
            match = path.removesuffix("*") if path.endswith("*") else f"= {path}"
        locations.append(f"location {match} {{ proxy_pass http://{address}; }}")
    file = folder / "nginx.conf"
    file.write_text(
        f"pid {folder}/nginx.pid; error_log stderr; events {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:1;\n"
        + "\n".join(locations)
        + "\n} }\n"
    )
    return [program, "-t", "-q", "-p", str(folder), "-c", str(file)]


def _envoy(program: str, routes: int, folder: Path) -> list[str]:
    prefix = "type.googleapis.com/envoy.extensions.filters"
    table, clusters = [], []
    for number, (path, address) in enumerate(_paths(routes)):
        match: dict[str, object] = {"path": path}
        if "{" in path:
            match = {"safe_regex": {"regex": re.sub(r"\{\w+\}", "[^/]+", path)}}
        elif path.endswith("*"):
            match = {"path_separated_prefix": path.removesuffix("/*")}
        table.append({"match": match, "route": {"cluster": f"c{number}"}})
        host, _, port = address.partition(":")
        place = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
        clusters.append(
            {
                "name": f"c{number}",
                "type": "STATIC",
                "load_assignment": {"cluster_name": f"c{number}", "endpoints": [{"lb_endpoints": [place]}]},
            }
        )
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{prefix}.http.router.v3.Router"}}
    manager = {
        "@type": f"{prefix}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": table}]},
    }
    listener = {
        "name": "in",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}))
    return [program, "--mode", "validate", "-c", str(file), "-l", "error"]


# -- the figures


def _show(routes: int, found: dict[str, list[Samples]], others: dict[str, float]) -> None:
    names = list(found)
    print(f"\n{routes} routes, {23 * routes} triples; medians of {len(found['agw'])}, in ms")
    print(f"{'':22}" + "".join(f"{name:>10}" for name in names) + (f"{'ratio':>10}" if len(names) > 1 else ""))
    for stage in found["agw"][0]:
        figures = [statistics.median(sample[stage] for sample in found[name] if stage in sample) for name in names]
        line = f"{stage:22}" + "".join(f"{figure * 1000:10.1f}" for figure in figures)
        print(line + (f"{figures[1] / figures[0]:10.2f}" if len(figures) > 1 else ""))
    for name, seconds in others.items():
        print(f"{name:22}{seconds * 1000:10.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
