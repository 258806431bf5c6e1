"""Latency added at half of the rate that saturates."""

from __future__ import annotations

import contextlib

from .. import paced, wrk
from ..arrangement import Arrangement
from ..backend import BODY, BODY_PATH
from ..bench import Bench, Contestant, Target, enter_all, measured, requests_sample
from ..figures import Bound, CaseResult, Goal, Sample, Series

ABOUT = "Latency at half of the rate at which Envoy (or agw, if less) saturates, requests due at random times"
VARIANT = "half the rate"


def run(bench: Bench) -> CaseResult:
    """One rate for everybody. Added: less the median of the same load on the backend itself, measured in turn."""
    result = CaseResult("latency", ABOUT)
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        targets = enter_all(stack, bench, bench.peers(), Arrangement(folder, port))
        saturating = requests_sample(wrk.Load(BODY_PATH))
        found = bench.alternate(
            [Contestant("saturated", target, saturating) for target in targets if target.peer in ("agw", "envoy")],
            rounds=2,
        )
        half = min(series.median("rate") or 0.0 for series in found) / 2
        # The load itself, in Python, and the backend need their own core's time for each request.
        half = min(half, 12_000.0)
        result.notes.append(f"{half:,.0f} requests/s")
        direct = Series(VARIANT, "(no gateway)")

        def sample(target: Target, seconds: float) -> Sample:
            if target is targets[0]:
                alone = paced.run(port, BODY_PATH, half, seconds)
                direct.samples.append(
                    {"p50_us": alone.p50 * 1e6, "p99_us": alone.p99 * 1e6, "p999_us": alone.p999 * 1e6}
                )
            target.probe(BODY_PATH, BODY)
            with measured(target.program) as cost:
                times = paced.run(target.port, BODY_PATH, half, seconds)
            target.probe(BODY_PATH, BODY)
            return {
                "p50_us": times.p50 * 1e6,
                "p99_us": times.p99 * 1e6,
                "p999_us": times.p999 * 1e6,
                "cpu_us": cost.cpu / times.requests * 1e6,
            }

        result.series = [direct, *bench.alternate([Contestant(VARIANT, target, sample) for target in targets])]
    for figure, title in (("p50", "p50"), ("p99", "p99")):
        base = direct.median(f"{figure}_us") or 0.0
        for series in result.series[1:]:
            for one in series.samples:
                one[f"added_{figure}_us"] = max(one[f"{figure}_us"] - base, 0.0)
        ours, theirs = (Bound(VARIANT, name, f"added_{figure}_us") for name in ("agw", "envoy"))
        result.goals.append(Goal(f"{title} added: at most Envoy's", ours, 1.0, theirs, at_most=True))
    return result
