"""Active health checks under ``agw serve``: who is unwell gets no traffic, and the graph says so within a second."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.serving import Serving, serve_process, turtle

QUESTION = "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> SELECT ?i ?s { ?i agw:healthState ?s }"


class Instance:
    """A backend that is well or not."""

    def __init__(self, name: str) -> None:
        self.well = True
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = name.encode()
                self.send_response(200 if instance.well or self.path != "/health" else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def states(gateway: Serving) -> dict[str, str]:
    url = f"{gateway.admin}/sparql?{urllib.parse.urlencode({'query': QUESTION})}"
    request = urllib.request.Request(url, headers={"Accept": "application/sparql-results+json"})
    rows = json.load(urllib.request.urlopen(request, timeout=10))["results"]["bindings"]
    return {row["i"]["value"].rsplit("/", 1)[-1]: row["s"]["value"] for row in rows}


def until(gateway: Serving, wanted: dict[str, str], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while (found := states(gateway)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def answers(gateway: Serving, number: int = 20) -> Counter[str]:
    return Counter(urllib.request.urlopen(f"{gateway.url}/x", timeout=10).read().decode() for _ in range(number))


def test_the_unwell_get_no_traffic_and_come_back(tmp_path: Path) -> None:
    one, two = Instance("one"), Instance("two")
    file = tmp_path / "g.ttl"
    file.write_text(
        turtle(
            f"""@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
            ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
            ex:s a agw:BackendService ; agw:hasInstance ex:one, ex:two ; agw:hasHealthCheck ex:h .
            ex:h a agw:HealthCheck ; agw:healthCheckPath "/health" ;
                agw:healthCheckInterval "PT0.1S"^^xsd:dayTimeDuration ; agw:failureThresholdHealth 1 .
            ex:one a agw:ServiceInstance ; agw:address "127.0.0.1:{one.port}" .
            ex:two a agw:ServiceInstance ; agw:address "127.0.0.1:{two.port}" ."""
        )
    )
    with serve_process(file, "--workers", "2") as gateway:
        until(gateway, {"one": "HEALTHY", "two": "HEALTHY"})
        assert set(answers(gateway)) == {"one", "two"}
        one.well = False
        until(gateway, {"one": "UNHEALTHY", "two": "HEALTHY"})
        assert set(answers(gateway)) == {"two"}
        one.well = True
        until(gateway, {"one": "HEALTHY", "two": "HEALTHY"})
        assert set(answers(gateway)) == {"one", "two"}
    one.server.shutdown()
    two.server.shutdown()
