"""``agw demo``: the shop example, served for real, in twenty seconds.

Nothing here is staged: the backends are HTTP servers, the gateway is ``agw serve`` in a process of its own, the traffic
goes over sockets, and what is shown is read from the answers and from the gateway's SPARQL endpoint.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import resources
from ..errors import AgwError
from .backends import Backend
from .output import coloured, print_table, terminal_width

if TYPE_CHECKING:
    from ..model import Canary, Mesh, Route, SplitTarget, Upstream

__all__ = ["command"]

_START_SECONDS = 60.0

QUESTION = """\
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
SELECT ?route ?path ?requests ?limit ?rejected ?breaker WHERE {
  ?route a agw:Route ; agw:routePath ?path ; agw:requestTotal ?requests .
  OPTIONAL { ?route agw:hasRateLimiter ?limiter .
             ?limiter agw:requestsPerSecond ?limit .
             ?limiter agw:rejectedTotal ?rejected }
  OPTIONAL { ?route agw:hasCircuitBreaker/agw:breakerState ?breaker }
  FILTER(?requests > 0)
} ORDER BY DESC(?requests)"""


DECISIONS = """\
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
PREFIX prov: <http://www.w3.org/ns/prov#>
SELECT ?outcome ?reason ?before ?after WHERE {
  ?decision a agw:CanaryDecision ; prov:endedAtTime ?at ; agw:decisionOutcome ?outcome ; agw:decisionReason ?reason ;
            agw:weightBefore ?before ; agw:weightAfter ?after .
} ORDER BY ?at"""


@click.command("demo")
@click.option("--keep", is_flag=True, help="Stay up afterwards, to be tried by hand; Ctrl-C ends it.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the gateway (default: a free one).")
def command(keep: bool, port: int) -> int:
    """Serve a shop of small services, send traffic, and show what the gateway does and knows."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    source = resources.examples() / "shop" / "gateway.ttl"
    mesh = _compile(source)
    with tempfile.TemporaryDirectory(prefix="agw-demo-") as folder, _backends(mesh) as backends:
        copy = Path(folder) / "gateway.ttl"
        copy.write_text(_rebound(source.read_text(encoding="utf-8"), mesh, backends), encoding="utf-8")
        with _gateway(copy, port) as (address, admin):
            _tell(mesh, backends, address, admin, copy)
            if keep:
                _stay(address, admin, copy)
    return 0


def _interrupted(number: int, frame: object) -> None:
    """A signal that ends the demo ends what it started as well: the folder goes, and the gateway."""
    sys.exit(128 + number)


# ---- the story


def _tell(mesh: Mesh, backends: dict[str, Backend], address: tuple[str, int], admin: str, copy: Path) -> None:
    click.echo("The shop, checked, compiled and serving:")
    click.echo(str(resources.examples() / "shop" / "gateway.ttl"))
    _heading("1. Its routes, in the order in which they are tried")
    _show_routes(mesh)
    upstreams = {upstream.iri: upstream for upstream in mesh.upstreams}
    _show_limiter(_first(mesh, "rate limit", lambda route: bool(route.rate_limits) and not route.splits), address)
    canaried = _first(mesh, "canary", lambda route: any(split.canary for split in route.splits))
    _show_canary(canaried, upstreams, address)
    _show_roll_back(canaried, upstreams, backends, address, admin)
    _show_breaker(
        _first(mesh, "circuit breaker", lambda route: route.breaker is not None and not route.splits), backends, address
    )
    _show_answer(admin)


def _show_routes(mesh: Mesh) -> None:
    from ..routing import compile_table, table_rows

    header, *rows = table_rows(compile_table(mesh))
    method, path, predicates, target, policies = map(
        header.index, ("METHOD", "PATH", "PREDICATES", "TARGET", "POLICIES")
    )
    print_table(
        ["METHOD", "PATH", "TARGET", "POLICIES"],
        [
            [row[method], f"{row[path]} {row[predicates].removeprefix('-')}".strip(), row[target], row[policies]]
            for row in rows
        ],
        indent="   ",
        width=_width(),
        wrapped=("PATH", "TARGET", "POLICIES"),
    )


def _show_limiter(route: Route, address: tuple[str, int]) -> None:
    limit = route.rate_limits[0]
    path = _path(route)
    _heading(f"2. A rate limiter: {path} takes {limit.requests_per_second:g} requests/s, bursts of {limit.burst}")
    statuses: Counter[int] = Counter()
    retry_after = ""
    for status, headers in _requests(address, route, limit.burst * 2 + 20):
        statuses[status] += 1
        retry_after = headers.get("Retry-After", retry_after)
    _say(
        f"{sum(statuses.values())} requests as fast as they go: {_counts(statuses)}; "
        f"refusals say Retry-After: {retry_after} s"
    )


def _show_canary(route: Route, upstreams: dict[str, Upstream], address: tuple[str, int]) -> None:
    path = _path(route)
    _, canary = _canary(route)
    steps = ", then ".join(f"{step.weight} %" for step in canary.steps)
    _heading(f"3. A canary: {steps}, then all of {path} for {upstreams[_canary(route)[0].upstream].name}")
    served: Counter[str] = Counter()
    for status, headers in _requests(address, route, 400):
        served[headers.get("X-Backend") or str(status)] += 1
    _say(
        f"{sum(served.values())} requests: "
        + ", ".join(f"{count} answered by {name}" for name, count in served.most_common())
    )


def _canary(route: Route) -> tuple[SplitTarget, Canary]:
    """The share of a route's requests that grows by itself."""
    return next((split, split.canary) for split in route.splits if split.canary is not None)


def _show_roll_back(
    route: Route,
    upstreams: dict[str, Upstream],
    backends: dict[str, Backend],
    address: tuple[str, int],
    admin: str,
) -> None:
    split, canary = _canary(route)
    name = upstreams[split.upstream].name
    _heading(
        f"4. The same canary begins to fail: it may have {canary.max_error_increase:.0%} more errors than the others"
    )
    behind = [backend for key, backend in backends.items() if key.split(" ")[0] == split.upstream]
    for backend in behind:
        backend.failing = True
    statuses: Counter[int] = Counter()
    good = 0
    for status, _ in _requests(address, route, 2000):
        statuses[status] += 1
        good = 0 if status >= 500 else good + 1
        if good > 100 and statuses[500]:
            break
        time.sleep(0.004)
    _say(f"{sum(statuses.values())} requests: {_counts(statuses)}; the last {good} went to the others again")
    for backend in behind:
        backend.failing = False
    time.sleep(0.3)
    result = json.loads(_get(f"{admin}/sparql", DECISIONS.encode(), "application/sparql-query"))
    for row in result["results"]["bindings"]:
        said = {key: value["value"] for key, value in row.items()}
        _say(
            f"{said['outcome']}: {float(said['before']):g} % -> {float(said['after']):g} % of the requests to {name}; "
            f"{said['reason']}"
        )


def _show_breaker(route: Route, backends: dict[str, Backend], address: tuple[str, int]) -> None:
    breaker = route.breaker
    assert breaker is not None
    path = _path(route)
    _heading(
        f"5. A circuit breaker: {path} opens after {breaker.failure_threshold} failures in a row, "
        f"for {breaker.open_seconds:g} s"
    )
    behind = [backend for key, backend in backends.items() if key.split(" ")[0] == route.upstream]
    for backend in behind:
        backend.failing = True
    before = sum(backend.hits for backend in behind)
    statuses = [status for status, _ in _requests(address, route, breaker.failure_threshold + 5)]
    reached = sum(backend.hits for backend in behind) - before
    _say(f"its service begins to fail; {len(statuses)} requests: {_counts(Counter(statuses))}")
    _say(f"only {reached} tries reached the failing service: the open breaker answered the rest at once")
    for backend in behind:
        backend.failing = False


def _show_answer(admin: str) -> None:
    _heading("6. Ask the running gateway, in SPARQL")
    click.echo("\n".join("   " + line for line in QUESTION.splitlines()))
    click.echo()
    time.sleep(0.3)  # live state is at most 0.2 s old in an answer
    result = json.loads(_get(f"{admin}/sparql", QUESTION.encode(), "application/sparql-query"))
    names = result["head"]["vars"]
    rows = [
        [_short(row[name]["value"]) if name in row else "-" for name in names] for row in result["results"]["bindings"]
    ]
    print_table(names, rows, indent="   ")
    click.echo()


def _stay(address: tuple[str, int], admin: str, copy: Path) -> None:
    click.echo(f"gateway  http://{address[0]}:{address[1]}/")
    click.echo(f"admin    {admin}/")
    click.echo(f"edit     {copy} and it reloads")
    click.echo(f"try      agw query --live {admin} --name routes")
    click.echo("Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        signal.pause()


def _heading(text: str) -> None:
    click.echo("\n" + (click.style(text, bold=True) if coloured(sys.stdout) else text))


def _say(text: str) -> None:
    click.echo(textwrap.fill(text, _width(), initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False))


def _width() -> int:
    return min(terminal_width(), 100)


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(
        f"{count} x {status} {http.client.responses.get(status, '')}".rstrip()
        for status, count in sorted(statuses.items())
    )


def _short(value: str) -> str:
    return re.split(r"[#/]", value)[-1] if value.startswith(("http://", "https://")) else value


# ---- what the story needs


def _compile(source: Path) -> Mesh:
    from ..control.build import build
    from ..graph import SourceGraph

    return build(SourceGraph.load([source])).mesh


def _first(mesh: Mesh, what: str, holds: Callable[[Route], bool]) -> Route:
    for route in mesh.routes:
        if holds(route):
            return route
    raise AgwError(f"the shop example has no route with a {what}", remedy="reinstall agw: its examples were changed")


def _path(route: Route) -> str:
    text = re.sub(r"\{[^}]*\}", "7", route.match.path.text)
    return text or "/"


@contextmanager
def _backends(mesh: Mesh) -> Iterator[dict[str, Backend]]:
    """One backend an endpoint, keyed by "service-IRI authority"."""
    backends: dict[str, Backend] = {}
    try:
        for upstream in mesh.upstreams:
            for endpoint in upstream.endpoints:
                backend = Backend(upstream.name)
                backend.start()
                backends[f"{upstream.iri} {endpoint.authority}"] = backend
        yield backends
    finally:
        for backend in backends.values():
            backend.stop()


def _rebound(text: str, mesh: Mesh, backends: dict[str, Backend]) -> str:
    """The configuration with each service's address replaced by its backend's, and the listener left to --port."""
    for upstream in mesh.upstreams:
        for endpoint in upstream.endpoints:
            text = text.replace(
                f'"{endpoint.authority}"', f'"{backends[f"{upstream.iri} {endpoint.authority}"].address}"'
            )
    return text


@contextmanager
def _gateway(copy: Path, port: int) -> Iterator[tuple[tuple[str, int], str]]:
    """``agw serve`` in a process of its own, ready; its address and its admin URL."""
    port = port or _free_port()
    admin_port = _free_port()
    arguments = ["serve", str(copy), "--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin_port)]
    log = copy.with_name("serve.log")
    leash = [sys.executable, "-m", "api_gateway_service_mesh.cli.leash", str(os.getpid())]
    with log.open("wb") as sink:
        process = subprocess.Popen([*leash, *arguments], stdout=sink, stderr=sink)
    admin = f"http://127.0.0.1:{admin_port}"
    try:
        _wait_for(process, admin, log)
        yield ("127.0.0.1", port), admin
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], admin: str, log: Path) -> None:
    """Until the gateway is ready.

    Raises:
        AgwError: it ended, or is not ready in time; with what it said so far, and what it is about.
    """
    started = time.monotonic()
    while not _ready(admin):
        status = process.poll()
        waited = time.monotonic() - started
        if status is None and waited < _START_SECONDS:
            time.sleep(0.05)
            continue
        said = log.read_text(errors="replace").strip() or "it has said nothing"
        if status is None:
            load = f", and {os.getloadavg()[0]:.1f} processes want {os.cpu_count()} cores" if os.cpu_count() else ""
            raise AgwError(
                f"the demo's gateway is still starting after {waited:.0f} s{load}; so far:\n{said}",
                remedy="try again when the machine has less to do",
            )
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise AgwError(f"the demo's gateway ended with {how} after {waited:.1f} s:\n{said}")


def _ready(admin: str) -> bool:
    try:
        _get(f"{admin}/readyz")
    except (OSError, http.client.HTTPException):
        return False
    return True


def _get(url: str, body: bytes | None = None, content_type: str = "") -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Accept": "application/sparql-results+json, */*;q=0.1"})  # noqa: S310 - the demo's own gateway
    if body is not None:
        request.add_header("Content-Type", content_type)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        data: bytes = answer.read()
    return data


def _requests(address: tuple[str, int], route: Route, number: int) -> Iterator[tuple[int, http.client.HTTPMessage]]:
    """Status and headers of `number` requests over one keep-alive connection."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    method = route.match.methods[0] if route.match.methods else "GET"
    host = next((name for name in route.match.hosts if "*" not in name), f"{address[0]}:{address[1]}")
    headers = {"Host": host, **{match.name: match.value for match in route.match.headers}}
    try:
        for _ in range(number):
            connection.request(method, _path(route), headers=headers)
            response = connection.getresponse()
            response.read()
            yield response.status, response.headers
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
