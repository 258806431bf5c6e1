"""A real Prometheus scrapes a gateway, and its linter finds nothing wrong with what it gets."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import serve_process, turtle

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None, reason="no prometheus: Debian has one"
)
CONFIGURATION = """
ex:here a agw:Route ; agw:routePath "/here" ; agw:hasDirectResponse ex:hello .
ex:hello a agw:DirectResponse ; agw:responseBody "hello" .
ex:traced a agw:Route ; agw:routePath "/traced" ; agw:hasDirectResponse ex:hello ; agw:hasTracing ex:tracing .
ex:tracing a agw:DistributedTracing ; agw:traceCollector "http://127.0.0.1:9/v1/traces" .
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes `target` every second; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f'scrape_configs: [{{job_name: agw, static_configs: [{{targets: ["{target}"]}}]}}]\n'
    )
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [
                "prometheus",
                "--enable-feature=exemplar-storage",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=said,
            stderr=said,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def asked(url: str, query: str) -> str | None:
    """The value of a query that gives one; None while it gives none."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={urllib.parse.quote(query)}", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return None
    return str(found[0]["value"][1]) if found else None


def test_prometheus_takes_what_a_gateway_says(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION))
    with serve_process(file, "--workers", "1") as gateway:
        for _ in range(3):
            urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/here", timeout=10).close()
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=10) as answer:
            metrics = answer.read()
        linted = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, timeout=60)
        assert (linted.returncode, linted.stderr.decode()) == (0, "")
        traced = urllib.request.Request(
            f"http://127.0.0.1:{gateway.port}/traced", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        )
        urllib.request.urlopen(traced, timeout=10).close()
        with prometheus(tmp_path, f"127.0.0.1:{gateway.admin_port}") as url:
            end = time.monotonic() + 60.0
            query = 'sum(agw_requests_total{route="http://example.org/here"})'
            while (found := asked(url, query)) != "3":
                assert time.monotonic() < end, (found, (tmp_path / "said").read_text()[-1000:])
                time.sleep(0.2)
            assert asked(url, 'up{job="agw"}') == "1"
            while (told := exemplars(url)) != [TRACE]:
                assert time.monotonic() < end, told
                time.sleep(0.2)


def exemplars(url: str) -> list[str]:
    """The traces that the histogram of durations names."""
    now = time.time()
    asked = {"query": "agw_request_duration_seconds_bucket", "start": now - 300, "end": now + 300}
    with urllib.request.urlopen(f"{url}/api/v1/query_exemplars?{urllib.parse.urlencode(asked)}", timeout=5) as answer:
        found = json.load(answer)["data"]
    assert all(series["seriesLabels"]["route"] == "http://example.org/traced" for series in found)
    return [each["labels"]["trace_id"] for series in found for each in series["exemplars"]]
