"""One plain route, 64 connections, a small body."""

from __future__ import annotations

import contextlib

from ..arrangement import Arrangement
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, enter_all, requests_sample
from ..figures import Bound, CaseResult, Goal
from ..wrk import Load

ABOUT = "One plain route, 64 connections, a body of 60 bytes"
VARIANTS = {"repeated heads": Load(BODY_PATH), "varied heads": Load(BODY_PATH, varied=True)}


def run(bench: Bench) -> CaseResult:
    """Repeated heads: the same request again and again, as most benchmarks do. Varied heads: no two alike."""
    result = CaseResult("plain", ABOUT)
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        targets = enter_all(stack, bench, bench.peers(), Arrangement(folder, port))
        result.series = bench.alternate(
            [Contestant(name, target, requests_sample(load)) for name, load in VARIANTS.items() for target in targets]
        )
    for name in VARIANTS:
        ours = Bound(name, "agw", "rate")
        result.goals += [
            Goal(f"{name}: at least 2.0 times Envoy", ours, 2.0, Bound(name, "envoy", "rate")),
            Goal(f"{name}: at least 0.7 times nginx", ours, 0.7, Bound(name, "nginx", "rate")),
        ]
    return result
