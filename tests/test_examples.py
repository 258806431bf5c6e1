"""Every example is a test: it loads without a finding, decides as its expected.txt says, and its README is true."""

from __future__ import annotations

import http.client
import os
import runpy
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from click.testing import CliRunner

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.cli import agw
from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.examples import NAMES, Expectation, commands, copied, expectations

ENDLESS = {"serve", "demo"}
"""Commands that are only parsed here; they have tests of their own."""


@pytest.fixture(scope="module", params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def built(example: Path) -> Build:
    return build(SourceGraph.load([example / "gateway.ttl"]))


def test_the_stories_are_there() -> None:
    assert {"quickstart", "shop", "mtls", "auth", "github", "limits", "resilience"} <= set(NAMES)
    index = (resources.examples() / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"[{name}]({name}/)" not in index] == []


def test_it_loads_without_a_finding(built: Build) -> None:
    assert built.report.findings == ()


def test_it_decides_as_expected(example: Path, built: Build) -> None:
    expected = expectations(example)
    assert len(expected) >= 4
    wrong = [(one.line, seen) for one in expected if (seen := _decided(built, one)) != _wanted(one)]
    assert wrong == []


def _wanted(one: Expectation) -> dict[str, object]:
    return {"outcome": one.outcome, **{name: sorted(values) for name, values in one.facts.items()}}


def _decided(built: Build, one: Expectation) -> dict[str, object]:
    """What the table does with a request, in the words of expected.txt and only about what the line speaks of."""
    parts = urlsplit(one.url)
    host, fields = parts.hostname or "", {name.lower(): value for name, value in one.headers.items()}
    entry = built.table.find(host, one.method, parts.path, parts.query, fields)
    if entry is None:
        return {"outcome": "405" if built.table.allowed_methods(host, parts.path) else "404"}
    route = entry.route
    services = [split.upstream for split in route.splits] or [route.upstream or ""]
    seen: dict[str, object] = {
        "to": sorted(_short(built, iri) for iri in services),
        "limit": sorted(_short(built, limit.iri) for limit in route.rate_limits),
        "timeout": [f"{route.timeout.total_seconds:g}"] if route.timeout and route.timeout.total_seconds else [],
    }
    return {"outcome": _short(built, route.iri), **{name: value for name, value in seen.items() if name in one.facts}}


def _short(built: Build, iri: str) -> str:
    for prefix, namespace in built.source.prefixes.items():
        if prefix in {"ex", "gh"} and iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    return iri


def test_the_commands_of_its_readme_work(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example.parents[1])
    found = commands(example / "README.md")
    assert found
    for words in found:
        program, *arguments = words
        files = [Path(word) for word in arguments if word.startswith("examples/") and "*" not in word]
        assert [str(file) for file in files if not file.exists()] == [], words
        if program == "agw":
            _run(arguments)
        else:
            assert program in {"python", "sh", "curl"}, words


def _run(arguments: list[str]) -> None:
    name, *rest = arguments
    if "--name" in rest:
        question = rest[rest.index("--name") + 1]
        assert (resources.queries("report") / f"{question}.rq").exists(), arguments
    if name in ENDLESS or "--live" in rest:
        command = agw.get_command(click.Context(agw), name)
        assert command is not None, arguments
        command.make_context(name, rest)
        return
    result = CliRunner().invoke(agw, arguments, standalone_mode=False)
    assert result.exception is None, (arguments, result.exception, result.output)
    assert not result.return_value, (arguments, result.output)


def test_the_quick_start_in_python_means_the_same_as_in_turtle() -> None:
    folder = resources.examples() / "quickstart"
    written = build(SourceGraph.load([folder / "gateway.ttl"])).mesh.routes
    gateway = runpy.run_path(str(folder / "quickstart.py"))["gateway"]
    stated = build(SourceGraph.from_rdflib(gateway.graph)).mesh.routes
    assert len(written) == len(stated) == 1
    one, other = written[0], stated[0]
    assert one.match == other.match
    assert [(limit.requests_per_second, limit.burst) for limit in one.rate_limits] == [(200.0, 200)]
    assert [(limit.requests_per_second, limit.burst) for limit in other.rate_limits] == [(200.0, 200)]
    assert one.timeout
    assert other.timeout
    assert one.timeout.total_seconds == other.timeout.total_seconds == 5.0


def test_the_generated_configuration_is_current() -> None:
    folder = resources.examples() / "github"
    generate = runpy.run_path(str(folder / "generate.py"))
    assert generate["turtle"]() == (folder / "gateway.ttl").read_text(encoding="utf-8")
    assert len(generate["operations"]()) >= 300


class _Ledger(BaseHTTPRequestHandler):
    """The bank's ledger: says who asked, by the certificate that was shown."""

    def do_GET(self) -> None:
        shown = self.connection.getpeercert()  # type: ignore[attr-defined]
        names = [value for kind, value in shown["subjectAltName"] if kind == "URI"]
        body = f"{self.path} for {names[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The mtls example served by ``agw serve``, before a ledger that demands certificates, too."""
    folder = copied("mtls", tmp_path)
    certs = folder / "certs"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "ledger.localhost.pem", certs / "ledger.localhost-key.pem")
    context.load_verify_locations(certs / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    ledger = HTTPServer(("127.0.0.1", 0), _Ledger)
    ledger.socket = context.wrap_socket(ledger.socket, server_side=True)
    threading.Thread(target=ledger.serve_forever, args=(0.05,), daemon=True).start()
    file = folder / "gateway.ttl"
    file.write_text(file.read_text(encoding="utf-8").replace("127.0.0.1:9443", f"127.0.0.1:{ledger.server_port}"))
    port, admin = _free_port(), _free_port()
    options = ["--port", str(port), "--admin-port", str(admin), "--workers", "1", "--no-watch"]
    log = (tmp_path / "log").open("wb")
    serving = subprocess.Popen(
        [sys.executable, "-m", "api_gateway_service_mesh", "serve", str(file), *options], stdout=log, stderr=log
    )
    try:
        _until_ready(serving, admin, tmp_path / "log")
        yield certs, port
    finally:
        serving.terminate()
        serving.wait(15)
        log.close()
        ledger.shutdown()
        ledger.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_ready(serving: subprocess.Popen[bytes], admin: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=2):
                return
        except OSError:
            assert serving.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)  # nothing to wait on: the port opens when it opens


def _ask(certs: Path, port: int, *, certificate: str | None) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    if certificate:
        context.load_cert_chain(certs / f"{certificate}.pem", certs / f"{certificate}-key.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request("GET", "/accounts/7/balance")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="agw serve needs a POSIX system")
def test_mtls_holds_on_both_sides(vault: tuple[Path, int]) -> None:
    certs, port = vault
    status, body = _ask(certs, port, certificate="teller.localhost")
    assert (status, body) == (200, "/accounts/7/balance for spiffe://vault.example/gateway")
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        _ask(certs, port, certificate=None)


def test_the_house_says_whose_rule_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied("house", tmp_path)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(agw, ["effective", "examples/house/gateway.ttl", "ex:refund"], catch_exceptions=False)
    assert told.exit_code == 0
    for stated in (
        "agw:hasAuthentication: ex:partner", "by virtual service ex:payHost (examples/house/gateway.ttl:22:27)",
        "agw:hasTimeout: ex:longer", "overrides class ex:Payment: ex:brisk", "overrides gateway ex:gateway: ex:patience",
    ):  # fmt: skip
        assert stated in told.output
    gateway = folder / "gateway.ttl"
    without = gateway.read_text().replace("agw:exempts ex:status", "agw:exempts ex:pay")
    gateway.write_text(without)
    refused = CliRunner().invoke(agw, ["validate", "examples/house/gateway.ttl"], catch_exceptions=False)
    assert "refused" in refused.output and "ex:status" in refused.output and "agw:Exemption" in refused.output
    unowned = without.replace("agw:exempts ex:pay", "agw:exempts ex:status").replace(
        'agw:owner "shop@house.example"', "agw:priority 1"
    )
    gateway.write_text(unowned)
    assert CliRunner().invoke(agw, ["validate", "examples/house/gateway.ttl"]).output.startswith("ok: ")
    pack = ["validate", "examples/house/gateway.ttl", "--policy", "owners"]
    assert "Nobody answers for this route" in CliRunner().invoke(agw, pack, catch_exceptions=False).output
