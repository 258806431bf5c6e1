"""The observed example with the real systems: what Zipkin and Prometheus found is what the gateway said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "observed" / "observed.py"


@pytest.mark.skipif(
    shutil.which("zipkin") is None or shutil.which("prometheus") is None, reason="no zipkin, or no prometheus"
)
@pytest.mark.timeout(300)
def test_each_system_confirms_what_the_gateway_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--free-ports"], capture_output=True, text=True, timeout=280, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "agw: 2 requests of one trace in its log",
        "Zipkin: 4 spans of one trace",
        "Prometheus: 2 requests",
    ]
