"""Bad input: a sentence with place and remedy, exit status 1 or 2, and never a traceback."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Run

HEAD = "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n@prefix ex: <http://example.org/> .\n"
ROUTE = 'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .\n'
SERVICE = 'ex:s a agw:BackendService ; agw:address "127.0.0.1:9" .\n'

REFUSED = {
    "wrong Turtle": (
        HEAD + 'ex:r a agw:Route ; agw:routePath "/a"\nex:s a agw:BackendService .\n',
        ["g.ttl:3:38", "missing"],
    ),
    "undeclared prefix": (HEAD + "ex:r a foo:Route .\n", ["g.ttl:3:8", "foo"]),
    "unknown term": (
        HEAD + ROUTE.replace("routePath", "routePaht") + SERVICE,
        ["g.ttl:3:", "did you mean: agw:routePath"],
    ),
    "unknown class": (HEAD + ROUTE.replace("agw:Route ", "agw:Rout ") + SERVICE, ["g.ttl:3:", "agw:Route"]),
    "wrong datatype": (HEAD + ROUTE.replace(" .\n", ' ; agw:priority "high" .\n') + SERVICE, ["g.ttl:3:", '"high"']),
    "dangling backend": (HEAD + ROUTE + SERVICE.replace("ex:s", "ex:service"), ["g.ttl:3:", "ex:s"]),
    "negative limit": (
        HEAD
        + ROUTE.replace(" .\n", " ; agw:hasRateLimiter ex:l .\n")
        + SERVICE
        + "ex:l a agw:RateLimiter ; agw:requestsPerSecond -5 .\n",
        ["g.ttl:5:", "found: -5", "allowed:"],
    ),
    "weights that do not sum": (
        HEAD
        + 'ex:r a agw:Route ; agw:routePath "/a" ; agw:hasTrafficSplit ex:p, ex:q .\n'
        + SERVICE
        + "ex:p a agw:TrafficSplit ; agw:weight 60 ; agw:targetService ex:s .\n"
        + "ex:q a agw:TrafficSplit ; agw:weight 30 ; agw:targetService ex:s .\n",
        ["g.ttl:3:", "100"],
    ),
    "missing certificate file": (
        HEAD
        + ROUTE
        + SERVICE
        + "ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:c ] .\n"
        + 'ex:c a agw:Certificate ; agw:certificateFile "nowhere.pem" ; agw:privateKeyRef "file:nowhere-key.pem" .\n',
        ["g.ttl:6:", "nowhere.pem"],
    ),
    "a secret in the open": (
        HEAD
        + ROUTE
        + SERVICE
        + "ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:c ] .\n"
        + 'ex:c a agw:Certificate ; agw:certificateFile "c.pem" ; agw:privateKeyRef "hunter2-the-key" .\n',
        ["g.ttl:6:", "env:NAME"],
    ),
    "a bad expression": (
        HEAD
        + 'ex:r a agw:Route ; agw:routePath "/a(" ; agw:pathMatchType "RegularExpression" ; agw:hasBackendService ex:s .\n'
        + SERVICE,
        ["g.ttl:3:"],
    ),
    "unenforced authentication": (
        HEAD + ROUTE.replace(" .\n", " ; agw:hasAuthentication ex:o .\n") + SERVICE + "ex:o a agw:OAuth2 .\n",
        ["g.ttl:5:", "introspectionEndpoint"],
    ),
    "nesting that kills parsers": (
        HEAD + "ex:a ex:b " + "[ ex:b " * 5000 + "1" + " ]" * 5000 + " .\n",
        ["g.ttl:3:", "deep"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_remedy(agw: Run, tmp_path: Path, case: str) -> None:
    text, wanted = REFUSED[case]
    (tmp_path / "g.ttl").write_text(text)
    with ThreadPoolExecutor() as pool:
        serving = pool.submit(agw, "serve", "g.ttl", "--port", "0", "--admin-port", "0")
        results = list(pool.map(agw, ("validate", "routes"), ("g.ttl", "g.ttl")))
    for result in results:
        assert result.returncode == 1, result.stdout
        assert "Traceback" not in result.stderr
        for piece in wanted:
            assert piece in result.stderr
        assert "hunter2" not in result.stderr + result.stdout
    served = serving.result()
    assert served.returncode == 1
    assert "Traceback" not in served.stderr
    assert wanted[0] in served.stderr


def test_conflicting_routes_are_shown_with_a_witness(agw: Run, tmp_path: Path) -> None:
    (tmp_path / "g.ttl").write_text(HEAD + ROUTE + ROUTE.replace("ex:r", "ex:again") + SERVICE)
    result = agw("validate", "g.ttl")
    assert result.returncode == 0
    assert "warning[" in result.stderr
    assert "GET http://" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["validate"], ["show", "x.ttl"], ["explain", "x.ttl", "GET"], ["query", "x.ttl"], ["cert", "issue"]]
)
def test_usage_errors_are_status_2(agw: Run, arguments: list[str]) -> None:
    result = agw(*arguments)
    assert result.returncode == 2
    assert "Error:" in result.stderr


def test_files_that_cannot_be_read(agw: Run, tmp_path: Path) -> None:
    (tmp_path / "binary.ttl").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.ttl").write_text("")
    for name in ("missing.ttl", "binary.ttl"):
        result = agw("validate", name)
        assert result.returncode == 1
        assert name in result.stderr
        assert "Traceback" not in result.stderr


def test_a_port_in_use(agw: Run, tmp_path: Path) -> None:
    (tmp_path / "g.ttl").write_text(HEAD + ROUTE + SERVICE)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = agw("serve", "g.ttl", "--host", "127.0.0.1", "--port", str(port), "--admin-port", "0")
        assert result.returncode == 1
        assert f"port {port}" in result.stderr
        assert "--port" in result.stderr
        admin = agw("serve", "g.ttl", "--port", "0", "--admin-port", str(port))
        assert admin.returncode == 1
        assert "--admin-port" in admin.stderr


def test_the_admin_port_stays_home_without_a_token(agw: Run, tmp_path: Path) -> None:
    (tmp_path / "g.ttl").write_text(HEAD + ROUTE + SERVICE)
    result = agw("serve", "g.ttl", "--port", "0", "--admin-host", "0.0.0.0", "--admin-port", "0")
    assert result.returncode == 1
    assert "AGW_ADMIN_TOKEN" in result.stderr


def test_no_gateway_there(agw: Run) -> None:
    result = agw("query", "--live", "http://127.0.0.1:1", "--name", "routes")
    assert result.returncode == 1
    assert "no gateway answers" in result.stderr


def test_a_query_that_is_not_sparql(agw: Run, gateway_file: Path) -> None:
    result = agw("query", "gateway.ttl", "-q", "SELECT ?x {")
    assert result.returncode == 1
    assert "line 1" in result.stderr
    assert "Traceback" not in result.stderr


def test_unknown_question_is_suggested(agw: Run, gateway_file: Path) -> None:
    result = agw("query", "gateway.ttl", "--name", "rate-limited-route")
    assert result.returncode == 2
    assert "did you mean rate-limited-routes" in result.stderr


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("explain", ("GET", "http://[::1/x")),
        ("explain", ("GET", "http://shop.example:99999/")),
        ("serve", ("--store", "http://[::1/x")),
        ("serve", ("--allow-origin", "http://[::1")),
        ("load", ("--store", "http://[::1/x")),
        ("apply", ("--live", "http://[::1")),
        ("query", ("--live", "http://[::1", "--name", "routes")),
    ],
)
def test_a_url_with_a_host_that_is_none_is_told(agw: Run, tmp_path: Path, command: str, rest: tuple[str, ...]) -> None:
    file = tmp_path / "g.ttl"
    file.write_text(HEAD + ROUTE + SERVICE)
    done = agw(command, *([] if command == "query" else [str(file)]), *rest)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "is no URL" in done.stderr or "is no origin" in done.stderr
