"""The observed example with the real systems: what Zipkin, or Jaeger, and Prometheus found is what the gateway said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "observed" / "observed.py"


@pytest.mark.parametrize("keeper", ["zipkin", "jaeger"])
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus")
@pytest.mark.timeout(300)
def test_each_system_confirms_what_the_gateway_said(keeper: str, tmp_path: Path) -> None:
    if shutil.which(keeper) is None:
        pytest.skip(f"no {keeper}: see .ci/servers")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--free-ports", keeper], capture_output=True, text=True, timeout=280, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "agw: 2 requests of one trace in its log",
        f"{keeper.capitalize()}: 4 spans of one trace",
        "Prometheus: 2 requests",
    ]


@pytest.mark.skipif(shutil.which("jaeger") is not None, reason="there is a jaeger")
def test_one_that_is_asked_for_and_not_installed_is_told_of(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--free-ports", "jaeger"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr.strip()) == (1, "jaeger is not installed: there is no such command")
