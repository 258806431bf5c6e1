"""Answers from a cache: one URL, and a thousand; beside the same without a cache."""

from __future__ import annotations

import contextlib

from ..arrangement import Arrangement
from ..backend import BODY_PATH
from ..bench import Bench, Contestant, enter_all, requests_sample
from ..figures import Bound, CaseResult, Goal
from ..wrk import Load

ABOUT = "Answers that are kept, 64 connections, a body of 60 bytes, varied heads"
ONE = Load(BODY_PATH, varied=True)
MANY = Load(BODY_PATH, varied=True, paths=tuple(f"{BODY_PATH}/{number}" for number in range(1000)))


def run(bench: Bench) -> CaseResult:
    """agw keeps them in the memory of its worker, nginx in files that the system holds in memory (proxy_cache)."""
    result = CaseResult("caching", ABOUT)
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        peers = bench.peers("agw", "nginx")
        kept = enter_all(stack, bench, peers, Arrangement(folder, port, cached=True))
        plain = enter_all(stack, bench, peers, Arrangement(folder, port))
        loads = (("one URL", ONE, kept), ("1,000 URLs", MANY, kept), ("without a cache", ONE, plain))
        result.series = bench.alternate(
            [Contestant(name, target, requests_sample(load)) for name, load, targets in loads for target in targets]
        )
    for name in ("one URL", "1,000 URLs"):
        ours = Bound(name, "agw", "rate")
        result.goals += [
            Goal(f"{name}: at least 0.5 times nginx", ours, 0.5, Bound(name, "nginx", "rate")),
            Goal(f"{name}: faster than without", ours, 1.0, Bound("without a cache", "agw", "rate")),
        ]
    return result
