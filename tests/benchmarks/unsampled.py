"""What tracing costs a request that is not traced, in nanoseconds of agw's own code, without kernel and event loop.

    PYTHONPATH=src python -m tests.benchmarks.unsampled [--requests 4000] [--runs 15]

A route with tracing beside the same without, in turns, in the way of `layers`; the difference of the best runs. Each pair
once for a kind of caller: one that says nothing of traces, one that does and did not sample, and a browser behind a load
balancer that did neither.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

from api_gateway_service_mesh.model import Propagation, Tracing

from .layers import BROWSER, PLAIN, Rig, answers, plain_route

UNSAMPLED = Tracing("urn:b:tracing", sampling_rate=0.0)
ANY = replace(UNSAMPLED, propagation=tuple(Propagation))


def heads(kind: str, number: int) -> list[bytes]:
    """Heads of a kind of caller; none of them has its request traced."""
    if kind == "silent":
        return [PLAIN + b"X-Correlation-Id: %032x\r\n\r\n" % n for n in range(number)]
    if kind == "not sampled":
        return [PLAIN + b"traceparent: 00-%032x-%016x-00\r\n\r\n" % (n + 1, n + 1) for n in range(number)]
    browser = BROWSER.replace(b"traceparent: 00-%032x-%016x-01\r\n", b"")
    return [browser % (n, n, n % 250) for n in range(number)]


KINDS = {
    "a caller that says nothing of traces": "silent",
    "a caller that did not sample": "not sampled",
    "a browser behind a load balancer": "browser",
}

EVERY = "a caller that says nothing, every format written"
NAMES = (*KINDS, EVERY)


async def measure(number: int, runs: int) -> list[tuple[str, float]]:
    """Nanoseconds a request, for each kind of caller."""
    pairs = []
    for name, kind in KINDS.items():
        pairs.append((name, kind, Rig(plain_route()), Rig(replace(plain_route(), tracing=UNSAMPLED))))
    pairs.append((EVERY, "silent", Rig(plain_route()), Rig(replace(plain_route(), tracing=ANY))))
    best = [[float("inf"), float("inf")] for _ in pairs]
    for turn in range(runs):
        for index, (_, kind, *rigs) in enumerate(pairs):
            for which in (0, 1) if turn % 2 else (1, 0):
                took = rigs[which].microseconds(heads(kind, number), answers("repeated"))
                best[index][which] = min(best[index][which], took)
    return [(name, 1000 * (best[n][1] - best[n][0])) for n, (name, *_) in enumerate(pairs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    for name, nanoseconds in asyncio.run(measure(options.requests, options.runs)):
        print(f"{nanoseconds:8.0f} ns  {name}")


if __name__ == "__main__":
    main()
