"""``agw logs``: logs as a gateway writes them, joined with its configuration."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from api_gateway_service_mesh.cli import agw
from tests.support.serving import SRC

FORM = ("--format", "json")
GATEWAY = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/> .
ex:orders a agw:Route ; agw:routePath "/orders" ; agw:hasDirectResponse ex:ok ; agw:hasRateLimiter ex:tight , ex:wide .
ex:old a agw:Route ; agw:routePath "/old" ; agw:hasDirectResponse ex:ok .
ex:ok a agw:DirectResponse ; agw:responseBody "ok" .
ex:tight a agw:RateLimiter ; agw:requestsPerSecond 1 .
ex:wide a agw:RateLimiter ; agw:requestsPerSecond 1000 .
"""


def line(second: int, status: int, taken: float, refused: str | None = None, route: str = "orders") -> str:
    said = {
        "time": f"2026-01-02T03:04:{second:02d}.000+00:00",
        "route": f"http://example.org/{route}",
        "status": status,
        "duration_ms": taken,
        "refused_by": refused and f"http://example.org/{refused}",
    }
    return json.dumps(said) + "\n"


def asked(tmp_path: Path, *options: str) -> tuple[list[dict[str, str]], str]:
    """The rows, and what was said beside them."""
    (tmp_path / "gateway.ttl").write_text(GATEWAY)
    with gzip.open(tmp_path / "access.log.1.gz", "wt") as first:
        first.write(line(0, 200, 10.0) + line(5, 503, 20.0) + "no line at all\n")
    (tmp_path / "access.log").write_text(line(10, 429, 1.0, "tight") + line(10, 200, 5.0, route="gone"))
    logs = [part for name in ("access.log.1.gz", "access.log") for part in ("--log", str(tmp_path / name))]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "api_gateway_service_mesh",
            "logs",
            str(tmp_path / "gateway.ttl"),
            *logs,
            *options,
            *FORM,
        ],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]["bindings"]
    return [{name: term["value"] for name, term in row.items()} for row in rows], done.stderr


def test_routes_that_nobody_used(tmp_path: Path) -> None:
    rows, said = asked(tmp_path, "--unused-routes")
    assert rows == [{"route": "http://example.org/old", "path": "/old"}]
    assert "1 lines are none" in said and "1 requests of 1 routes that the configuration does not have" in said


def test_limits_that_were_never_hit(tmp_path: Path) -> None:
    rows, _ = asked(tmp_path, "--unhit-limits")
    assert [row["limiter"] for row in rows] == ["http://example.org/wide"]


def test_what_is_slow_and_what_is_busy(tmp_path: Path) -> None:
    ((slow,), _), (busy, _) = asked(tmp_path, "--slowest-routes"), asked(tmp_path)
    assert (slow["window"], float(slow["p50"]), float(slow["p99"])) == ("PT10S", 0.01, 0.02)
    assert [(row["path"], row["requests"], row["errors"]) for row in busy] == [
        ("/orders", "3", "1"),
        ("/old", "0", "0"),
    ]


def test_a_query_of_ones_own(tmp_path: Path) -> None:
    text = "SELECT ?rate { ex:orders agw:hasLiveRate/agw:requestRate ?rate }"
    rows, _ = asked(tmp_path, "-q", text)
    assert [float(row["rate"]) for row in rows] == [0.3]


def test_what_a_log_leaves_out_is_said_and_not_made_up(tmp_path: Path) -> None:
    (tmp_path / "gateway.ttl").write_text(GATEWAY)
    (tmp_path / "access.log").write_text('{"route":"http://example.org/orders","status":429}\n')
    for question, missing in (("--unhit-limits", "refused_by"), ("--slowest-routes", "duration_ms")):
        done = CliRunner().invoke(
            agw, ["logs", str(tmp_path / "gateway.ttl"), "--log", str(tmp_path / "access.log"), question]
        )
        assert done.exit_code == 0
        assert f"no line has {missing}, so this cannot be told" in done.stderr
    done = CliRunner().invoke(
        agw, ["logs", str(tmp_path / "gateway.ttl"), "--log", str(tmp_path / "access.log"), "--unused-routes"]
    )
    assert "cannot be told" not in done.stderr and "/old" in done.stdout
