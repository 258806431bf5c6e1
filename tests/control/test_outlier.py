"""Ejection and probes under ``agw serve`` with several workers: judged as by one, and told in the graph and the metrics."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.serving import Serving, serve_process, turtle

QUESTION = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> SELECT ?i ?o WHERE {{ ?i agw:{term} ?o }}"


class Instance:
    """A backend that answers with its name, with these statuses by path."""

    def __init__(self, name: str) -> None:
        self.statuses: dict[str, int] = {}
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = name.encode()
                self.send_response(instance.statuses.get(self.path, 200))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def instances() -> Iterator[tuple[Instance, Instance]]:
    pair = Instance("one"), Instance("two")
    yield pair
    for each in pair:
        each.server.shutdown()


def config(tmp_path: Path, instances: tuple[Instance, Instance], more: str) -> Path:
    one, two = instances
    file = tmp_path / "g.ttl"
    file.write_text(
        turtle(
            f"""@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
            ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
            ex:s a agw:BackendService ; agw:hasInstance ex:one, ex:two .
            ex:one a agw:ServiceInstance ; agw:address "127.0.0.1:{one.port}" .
            ex:two a agw:ServiceInstance ; agw:address "127.0.0.1:{two.port}" .
            {more}"""
        )
    )
    return file


def told(gateway: Serving, term: str) -> dict[str, str]:
    url = f"{gateway.admin}/sparql?{urllib.parse.urlencode({'query': QUESTION.format(term=term)})}"
    request = urllib.request.Request(url, headers={"Accept": "application/sparql-results+json"})
    rows = json.load(urllib.request.urlopen(request, timeout=10))["results"]["bindings"]
    return {row["i"]["value"].rsplit("/", 1)[-1]: row["o"]["value"] for row in rows}


def until(gateway: Serving, term: str, wanted: dict[str, str], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while (found := told(gateway, term)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def answer(gateway: Serving, cookie: str = "") -> tuple[int, str, str]:
    """Status, body and cookie of a request on a connection of its own, which any worker may take."""
    request = urllib.request.Request(f"{gateway.url}/x", headers={"Cookie": cookie} if cookie else {})
    try:
        got: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), ""
    with got:
        return got.status, got.read().decode(), (got.headers["Set-Cookie"] or "").partition(";")[0]


def test_errors_in_a_row_eject_over_all_workers_and_the_graph_says_until_when(
    tmp_path: Path, instances: tuple[Instance, Instance]
) -> None:
    detection = """ex:s agw:hasOutlierDetection ex:o . ex:o a agw:OutlierDetection ;
        agw:consecutiveErrors 6 ; agw:baseEjectionTime "PT3S"^^xsd:dayTimeDuration ."""
    file = config(tmp_path, instances, detection)
    with serve_process(file, "--workers", "2") as gateway:
        instances[0].statuses["/x"] = 503
        seen = Counter(answer(gateway)[:2] for _ in range(30))
        assert seen[503, "one"] == 6
        assert seen[200, "two"] == 24
        assert set(told(gateway, "ejectedUntil")) == {"one"}
        assert told(gateway, "ejectionsTotal") == {"one": "1", "two": "0"}
        metrics = urllib.request.urlopen(f"{gateway.admin}/metrics", timeout=10).read().decode()
        assert 'agw_endpoint_ejections_total{endpoint="http://example.org/one"} 1' in metrics
        assert 'agw_endpoint_ejected{endpoint="http://example.org/two"} 0' in metrics
        instances[0].statuses.clear()
        until(gateway, "ejectedUntil", {})
        assert {answer(gateway)[1] for _ in range(12)} == {"one", "two"}


def test_the_dead_get_nothing_whatever_their_readiness_and_the_graph_says_which_probe(
    tmp_path: Path, instances: tuple[Instance, Instance]
) -> None:
    quick = 'agw:healthCheckInterval "PT0.1S"^^xsd:dayTimeDuration ; agw:failureThresholdHealth 1'
    probes = f"""ex:s agw:hasHealthCheck ex:start, ex:live, ex:ready .
        ex:start a agw:StartupProbe ; agw:healthCheckPath "/startupz" ; {quick} .
        ex:live a agw:LivenessProbe ; agw:healthCheckPath "/livez" ; {quick} .
        ex:ready a agw:ReadinessProbe ; agw:healthCheckPath "/readyz" ; {quick} ."""
    one, _ = instances
    one.statuses["/startupz"] = 503
    with serve_process(config(tmp_path, instances, probes), "--workers", "2") as gateway:
        until(gateway, "healthState", {"one": "UNHEALTHY", "two": "HEALTHY"})
        assert told(gateway, "failingProbe") == {"one": "startup"}
        assert {answer(gateway)[1] for _ in range(8)} == {"two"}
        one.statuses.clear()
        until(gateway, "healthState", {"one": "HEALTHY", "two": "HEALTHY"})
        one.statuses.update({"/livez": 500, "/startupz": 503})
        until(gateway, "healthState", {"one": "UNHEALTHY", "two": "HEALTHY"})
        assert {answer(gateway)[1] for _ in range(8)} == {"two"}
        one.statuses.clear()
        until(gateway, "failingProbe", {})
        until(gateway, "healthState", {"one": "HEALTHY", "two": "HEALTHY"})


def test_a_session_stays_whichever_worker_takes_it(tmp_path: Path, instances: tuple[Instance, Instance]) -> None:
    sticky = 'ex:r agw:hasLoadBalancer ex:b . ex:b a agw:LoadBalancer ; agw:stickyCookie "at" .'
    with serve_process(config(tmp_path, instances, sticky), "--workers", "2") as gateway:
        _, body, cookie = answer(gateway)
        assert cookie.startswith("at=")
        assert {answer(gateway, cookie)[1:] for _ in range(16)} == {(body, "")}
