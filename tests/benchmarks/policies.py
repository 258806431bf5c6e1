"""What one decision of each policy machine costs, in nanoseconds.

Run it from the top of a checkout: ``PYTHONPATH=src:. python tests/benchmarks/policies.py``. A figure is the best of
seven runs with the call through a closure; the cost of an empty call is shown, not taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Breaker,
    Endpoint,
    KeyKind,
    Mesh,
    PathKind,
    PathMatch,
    RateLimit,
    RequestKey,
    Retry,
    Route,
    RouteMatch,
    SplitTarget,
    Upstream,
)
from api_gateway_service_mesh.policies import (
    CellLayout,
    CellStore,
    CircuitBreaker,
    Failure,
    RetryPolicy,
    RouteCounters,
    SharedLock,
    Splitter,
    key_hash,
    layout_for,
    limiter,
    make_balancer,
)

CALLS, RUNS = 50_000, 7


def nanoseconds(call: Callable[[], object]) -> float:
    """The best of `RUNS` runs of `CALLS` calls."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        best = min(best, (time.perf_counter_ns() - began) / CALLS)
    return best


def main() -> None:
    endpoints = tuple(Endpoint(f"ex:e{n}", "127.0.0.1", 9000 + n, weight=1 + n % 2) for n in range(20))
    keyed = RateLimit("ex:keyed", 1e9, 10, (RequestKey(KeyKind.CLIENT_ADDRESS),))
    limit = RateLimit("ex:limit", 1e9, 10)
    tight = RateLimit("ex:tight", 1e-6, 1)
    match = RouteMatch(PathMatch(PathKind.EXACT, "/"))
    route = Route("ex:r", "r", match, "ex:u", rate_limits=(limit, keyed, tight), breaker=Breaker("ex:b"))
    small = Upstream("ex:u", "u", endpoints[:3])
    large = Upstream("ex:large", "large", endpoints)
    wide = replace(route, iri="ex:wide", upstream="ex:large")
    store = CellStore.shared()
    slots = layout_for(Mesh("ex:g", "g", (route, wide), (small, large)), CellLayout(store), workers=2)
    view, shared = store.view, SharedLock.create()
    rows: list[tuple[str, Callable[[], object]]] = [("an empty call", lambda: None)]

    plain = limiter(limit, view, slots["rate_limit", "ex:limit"])
    locked = limiter(limit, view, slots["rate_limit", "ex:limit"], shared)
    refusing = limiter(tight, view, slots["rate_limit", "ex:tight"])
    by_key = limiter(keyed, view, slots["rate_limit", "ex:keyed"])
    refusing.take(1000.0)
    hashed = key_hash("198.51.100.7")
    rows += [
        ("rate limit, admitted", lambda: plain.take(1000.0)),
        ("rate limit, admitted, lock between processes", lambda: locked.take(1000.0)),
        ("rate limit, refused", lambda: refusing.take(1000.0)),
        ("rate limit by key, admitted", lambda: by_key.take(1000.0, hashed)),
        ("rate limit, remaining", lambda: plain.remaining(1000.0)),
        ("hash of a key", lambda: key_hash("198.51.100.7")),
    ]

    breaker = CircuitBreaker(Breaker("ex:b"), view, slots["breaker", "ex:b"], shared)
    rows += [
        ("breaker closed: admit", lambda: breaker.admit(1000.0)),
        ("breaker closed: success", lambda: breaker.record(1.0, True, 1000.0)),
    ]

    for upstream, on in ((small, route), (large, wide)):
        for algorithm in Algorithm:
            routed = replace(on, balancer=None)
            balancer = make_balancer(upstream, Balancer("ex:lb", algorithm), view, slots, routed, 2, 0)
            rows.append(
                (f"{algorithm}, {len(upstream.endpoints)} endpoints", lambda pick=balancer.pick: pick(0.0, 0.3, hashed))
            )

    splitter = Splitter([SplitTarget("ex:s", "ex:u", 90), SplitTarget("ex:c", "ex:large", 10)])
    retry = RetryPolicy(Retry("ex:retry"))
    counters = RouteCounters(view, slots["route", "ex:r"], 1)
    rows += [
        ("split", lambda: splitter.choose(0.3)),
        ("retry: should it", lambda: retry.should_retry(1, Failure.RESET, "GET", bytes_sent=10)),
        ("route counters, with bytes", lambda: counters.observe(200, 0.004, 100, 1000)),
        ("route counters, without", lambda: counters.observe(200, 0.004)),
    ]
    for name, call in rows:
        print(f"{nanoseconds(call):8.0f} ns  {name}")


if __name__ == "__main__":
    main()
