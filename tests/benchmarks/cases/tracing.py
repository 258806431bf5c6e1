"""What tracing costs a request that is not traced (the microbenchmark in ``unsampled.py``)."""

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
from ..unsampled import NAMES

ABOUT = (
    "A route with tracing beside the same without, a request that is not traced: what that takes more of agw's own code"
)
LIMIT_NS = 3000.0


def run(bench: Bench) -> CaseResult:
    """Runs the microbenchmark, as many rounds as asked for."""
    result = CaseResult("tracing", ABOUT)
    here = Path(__file__).parents[1]
    path = os.pathsep.join([str(Path(api_gateway_service_mesh.__file__).parents[1]), str(here.parents[1])])
    series = {name: Series(name, "agw") for name in NAMES}
    for _ in range(bench.rounds):
        ran = subprocess.run(
            ["taskset", "-c", str(PROGRAM_CORE), sys.executable, "-m", "tests.benchmarks.unsampled"],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        for line in ran.stdout.splitlines():
            found = re.match(r"\s*(-?\d+) ns\s+(.*)", line)
            if found is not None:
                series[found[2]].samples.append({"ns": float(found[1])})
    result.series = list(series.values())
    for name in NAMES:
        result.goals.append(Goal(f"{name}: less than 3 µs", Bound(name, "agw", "ns"), LIMIT_NS, at_most=True))
    return result
