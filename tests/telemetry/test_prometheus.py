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
"""


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
        with prometheus(tmp_path, f"127.0.0.1:{gateway.admin_port}") as url:
            end = time.monotonic() + 60.0
            query = 'sum(agw_requests_total{route="http://example.org/here"})'
            while (found := asked(url, query)) != "3":
                assert time.monotonic() < end, (found, (tmp_path / "said").read_text()[-1000:])
                time.sleep(0.2)
            assert asked(url, 'up{job="agw"}') == "1"
