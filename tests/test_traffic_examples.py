"""The traffic and canary examples, served over real sockets: what their READMEs say happens."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.cli.backends import Backend

DECISIONS = """
PREFIX agw: <https://ggen.ai/ontology/api-gateway#>
PREFIX prov: <http://www.w3.org/ns/prov#>
SELECT ?outcome WHERE { ?decision agw:decisionOutcome ?outcome ; prov:endedAtTime ?at } ORDER BY ?at"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(name: str, folder: Path) -> Iterator[tuple[int, str, Backend, Backend]]:
    """The example `name` behind a port of its own; its services of 9101 and 9102 are the two backends."""
    one, two = Backend("one"), Backend("two")
    one.start()
    two.start()
    text = (resources.examples() / name / "gateway.ttl").read_text(encoding="utf-8")
    file = folder / "gateway.ttl"
    text = text.replace("127.0.0.1:9101", one.address).replace("127.0.0.1:9102", two.address)
    # On a machine that does ten other things one answer in twenty may well take five times as long as the others.
    file.write_text(text.replace("agw:maximumLatencyRatio 5 ;", "agw:maximumLatencyRatio 1000 ;"))
    port, admin = free_port(), free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "api_gateway_service_mesh", "serve", str(file), "--host", "127.0.0.1"),
            *("--port", str(port), "--admin-port", str(admin), "--workers", "2"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    url = f"http://127.0.0.1:{admin}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, url, one, two
    finally:
        process.terminate()
        process.wait(15)
        one.stop()
        two.stop()


def get(port: int, path: str, **fields: str) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def outcomes(admin: str) -> list[str]:
    query = urllib.parse.urlencode({"query": DECISIONS})
    request = urllib.request.Request(f"{admin}/sparql?{query}", headers={"Accept": "application/sparql-results+json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [row["outcome"]["value"] for row in json.load(answer)["results"]["bindings"]]


def test_traffic(tmp_path: Path) -> None:
    with served("traffic", tmp_path) as (port, _, _one, _two):
        status, fields, _ = get(port, "/old/page?a=b")
        assert (status, fields["Location"]) == (308, "/new/page?a=b")
        assert json.loads(get(port, "/api/things?x=1")[2])["path"] == "/things?x=1&limit=100"
        assert json.loads(get(port, "/users/7/orders/9")[2])["path"] == "/orders/9/of/7"
        status, fields, body = get(port, "/robots.txt")
        assert (status, fields["Cache-Control"], body) == (200, "max-age=3600", "User-agent: *\nDisallow: /\n")
        status, fields, body = get(port, "/reports")
        assert (status, fields["Retry-After"]) == (503, "600")
        assert "Reports are back at nine." in body
        assert get(port, "/reports", X_Tester="yes")[0] == 200
        assert get(port, "/search")[1]["X-Backend"] == "one"
        assert get(port, "/search", Cookie="preview=1")[1]["X-Backend"] == "two"
        began = time.monotonic()
        assert get(port, "/checkout", X_Chaos="1")[0] == 503
        assert time.monotonic() - began >= 0.2
        assert get(port, "/checkout")[0] == 200


@pytest.mark.parametrize("failing", [False, True])
def test_canary(failing: bool, tmp_path: Path) -> None:
    with served("canary", tmp_path) as (port, admin, _one, two):
        assert get(port, "/products/7", X_Canary="always")[1]["X-Backend"] == "two"
        two.failing = failing
        end = "ROLLED_BACK" if failing else "PROMOTED"
        deadline, number = time.monotonic() + 120, 0
        while end not in outcomes(admin):
            assert time.monotonic() < deadline, outcomes(admin)
            for _ in range(100):
                number += 1
                get(port, "/products/7", X_User=f"u{number}")
        wanted = ["STARTED", "ROLLED_BACK"] if failing else ["STARTED", "ADVANCED", "PROMOTED"]
        assert outcomes(admin) == wanted
        served_by = Counter(get(port, "/products/7", X_User=f"u{one}")[1]["X-Backend"] for one in range(40))
        assert served_by == {"one" if failing else "two": 40}
