"""What became of spans is live state, in the graph and in the metrics of a gateway as people start it."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tests.support.serving import serve_process, turtle

CONFIGURATION = """
ex:traced a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:service .
ex:service a agw:BackendService ; agw:address "127.0.0.1:@port@" .
ex:tracing a agw:DistributedTracing ; agw:samplingRate 1 ; agw:traceCollector "http://127.0.0.1:@port@/v1/traces" .
"""
QUERY = "SELECT ?n WHERE { <http://example.org/tracing> <https://ggen.ai/ontology/api-gateway#spansExportedTotal> ?n }"


class _Answers(http.server.BaseHTTPRequestHandler):
    """Backend and collector."""

    protocol_version = "HTTP/1.1"
    traced: list[str] = []  # noqa: RUF012 - of one test

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if body:
            spans = json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
            self.traced += [span["traceId"] for span in spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_only_tracing_is_everybodys_and_tells_what_became_of_its_spans(tmp_path: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.replace("@port@", str(server.server_address[1]))))
    try:
        with serve_process(str(file), "--port", "0", "--admin-port", "0", "--workers", "1") as serving:
            urllib.request.urlopen(f"http://127.0.0.1:{serving.port}/", timeout=10).close()
            admin, end = f"http://127.0.0.1:{serving.admin_port}", time.monotonic() + 20.0
            while _exported(admin) != "2":
                assert time.monotonic() < end
                time.sleep(0.1)
            with urllib.request.urlopen(f"{admin}/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert 'agw_spans_total{tracing="http://example.org/tracing",result="exported"} 2' in metrics
    assert len(_Answers.traced) == 2 and len(set(_Answers.traced)) == 1


def _exported(admin: str) -> str | None:
    request = urllib.request.Request(
        f"{admin}/sparql?query={urllib.parse.quote(QUERY)}", headers={"Accept": "application/sparql-results+json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        rows = json.load(answer)["results"]["bindings"]
    return rows[0]["n"]["value"] if rows else None
