"""What one decision of a limiter and of a breaker costs, by itself (the microbenchmark in ``policies.py``)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import api_gateway_service_mesh

from ..bench import Bench
from ..figures import Bound, CaseResult, Goal, Series
from ..machine import PROGRAM_CORE

ABOUT = "One decision by itself: best of seven runs of 50,000 calls, the call through a closure included"
LIMIT_NS = 1500.0
JUDGED = (
    "rate limit, admitted", "rate limit, admitted, lock between processes", "rate limit, refused",
    "rate limit by key, admitted", "breaker closed: admit", "breaker closed: success",
)  # fmt: skip


def run(bench: Bench) -> CaseResult:
    """Runs the microbenchmark, as many rounds as asked for."""
    result = CaseResult("decisions", ABOUT)
    here = Path(__file__).parents[1]
    path = os.pathsep.join([str(Path(api_gateway_service_mesh.__file__).parents[1]), str(here.parents[1])])
    series: dict[str, Series] = {}
    for _ in range(bench.rounds):
        ran = subprocess.run(
            ["taskset", "-c", str(PROGRAM_CORE), sys.executable, str(here / "policies.py")],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        for line in ran.stdout.splitlines():
            found = re.match(r"\s*(\d+) ns\s+(.*)", line)
            if found is not None:
                one = series.setdefault(found[2], Series(found[2], "agw"))
                one.samples.append({"ns": float(found[1])})
    result.series = list(series.values())
    for name in JUDGED:
        result.goals.append(Goal(f"{name}: less than 1.5 µs", Bound(name, "agw", "ns"), LIMIT_NS, at_most=True))
    return result
