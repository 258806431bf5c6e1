"""Where a route sends to: one upstream as that route uses it, and which of its endpoints an attempt goes to."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Algorithm, KeyKind, RequestKey, Route, Upstream
from api_gateway_service_mesh.policies import (
    Bulkhead,
    EndpointCounters,
    OutlierDetector,
    PeakLatency,
    RetryBudget,
    detector,
    key_hash,
    make_balancer,
    subset_of,
)

from .access_log_format import watch_phases
from .attempt import AttemptOutcome, OnAttempt
from .breaker import InstanceBreakers, watch_instances
from .bulkhead import watch_bulkhead
from .concurrency import watch_latency
from .key import request_key
from .pool import EndpointPool, UpstreamPool
from .problem import Refusal
from .retry import watch_retries
from .sticky import Stickiness
from .tracing import watch_trace

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange

__all__ = ["Target", "find_target"]

_log = logging.getLogger(__name__)


class Target:
    """One upstream as one route uses it: its endpoints with all labels of ``subset``, one at least."""

    __slots__ = (
        "_balancer",
        "_core",
        "_hash_key",
        "_sticky",
        "bounded",
        "breakers",
        "budget",
        "bulkhead",
        "nowhere",
        "on_attempt",
        "only",
        "pools",
        "upstream",
    )

    def __init__(
        self,
        upstream: Upstream,
        pool: UpstreamPool,
        route: Route,
        generation: Generation,
        core: Core,
        subset: tuple[str, ...] = (),
    ) -> None:
        self.upstream = upstream
        slots = generation.slots
        view = core.cells.view
        endpoints = subset_of(upstream.endpoints, subset)
        self.pools: tuple[EndpointPool, ...] = tuple(
            pool.endpoint(endpoint, EndpointCounters(view, slots["endpoint", endpoint.iri], core.worker))
            for endpoint in endpoints
        )
        self.only: EndpointPool | None = None
        """The endpoint, when there is nothing to choose."""
        self.breakers: InstanceBreakers | None = None
        """The endpoints' own circuit breakers: then it is they who pick."""
        self.budget: RetryBudget | None = None
        """What retries to it may cost."""
        self.bulkhead: Bulkhead | None = None
        """What is under way to its upstream."""
        self.bounded = False
        """There is a bound on the requests under way; then somebody watches attempts too."""
        self._core = core
        self._hash_key: RequestKey | None = None
        config = route.balancer
        if len(endpoints) == 1 and endpoints[0].weight > 0 and (config is None or config.panic_threshold):
            self.only = self.pools[0]
        if config is not None and config.algorithm is Algorithm.CONSISTENT_HASH:
            self._hash_key = config.hash_key or RequestKey(KeyKind.CLIENT_ADDRESS)
        self._balancer = make_balancer(
            upstream, config, view, slots, route, core.workers, core.worker, subset=subset, zone=generation.mesh.zone
        )
        self._sticky: Stickiness | None = None
        if config is not None and config.sticky is not None and len(endpoints) > 1:
            base = slots["sticky", config.iri]
            self._sticky = Stickiness(config.sticky, [endpoint.iri for endpoint in endpoints], core, base)
        watchers: list[OnAttempt] = []
        judge = detector(upstream, view, slots, core.lock, core.workers, core.worker)
        if judge is not None:
            watchers.append(_judged(judge, upstream))
        if config is not None and config.algorithm is Algorithm.EWMA:
            watchers.append(
                _timed(
                    {
                        endpoint.iri: PeakLatency(view, slots["latency", endpoint.iri], config.latency_decay_seconds)
                        for endpoint in endpoints
                    }
                )
            )
        self.on_attempt: tuple[OnAttempt, ...] = tuple(watchers)
        """Who is told what became of each attempt."""
        self.nowhere = Refusal(503, "no-endpoint", f"{upstream.name} has no endpoint left to try", failure=True)

    def pick(self, exchange: Exchange) -> int:
        """Index of the endpoint for the next attempt, -1 for none."""
        now = exchange.started if exchange.attempt <= 1 else monotonic()
        sticky = self._sticky
        if sticky is not None:
            kept = sticky.kept(exchange)
            if kept >= 0 and not exchange.tried >> kept & 1 and self._balancer.admits(kept, now):
                return kept
        hashed = key_hash(request_key(self._hash_key, exchange)) if self._hash_key is not None else 0
        index = self._balancer.pick(now, self._core.random(), hashed, exchange.tried)
        if sticky is not None and index >= 0:
            sticky.keep(exchange, index)
        return index


def _judged(judge: OutlierDetector, upstream: Upstream) -> OnAttempt:
    """Tells the outlier detector, and the log whom it ejects."""
    indices = {endpoint.iri: index for index, endpoint in enumerate(upstream.endpoints)}

    def watch(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
        if outcome.failure is None and not outcome.status:
            return  # says nothing of the endpoint
        index = indices.get(pool.endpoint.iri)
        if index is None:
            return
        for out in judge.record(index, outcome.status, outcome.failure is None, outcome.now):
            endpoint = upstream.endpoints[out]
            _log.warning("%s (%s) is ejected: it answers badly", endpoint.authority, endpoint.iri)

    return watch


def _timed(latencies: dict[str, PeakLatency]) -> OnAttempt:
    """Tells the latency averages."""

    def watch(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
        latency = latencies.get(pool.endpoint.iri)
        if latency is not None and (outcome.failure is not None or outcome.status):
            ok = outcome.failure is None and outcome.status < 500
            latency.record(outcome.seconds, ok, outcome.now)

    return watch


def find_target(
    iri: str, route: Route, generation: Generation, core: Core, subset: tuple[str, ...] | None = None
) -> Target | Refusal:
    """The upstream `iri` as `route` uses it, or why nothing can be sent there. `subset`: labels to select endpoints by,
    None for those of the route."""
    subset = route.subset if subset is None else subset
    pool = generation.pools.get(iri)
    if pool is None:
        return Refusal(503, "no-upstream", f"{route.name} sends to a backend that is not described", failure=True)
    upstream = pool.upstream
    if upstream.plaintext_forbidden:
        return Refusal(
            503,
            "plaintext-forbidden",
            f"{upstream.name} demands mutual TLS, and agw has no certificate to speak to it with",
            failure=True,
        )
    if not upstream.endpoints:
        return Refusal(503, "no-endpoint", f"{upstream.name} has no address", failure=True)
    if not subset_of(upstream.endpoints, subset):
        wanted = ", ".join(subset)
        return Refusal(503, "no-endpoint", f"{upstream.name} has no endpoint with the label {wanted}", failure=True)
    target = Target(upstream, pool, route, generation, core, subset)
    watch_instances(target, route, generation, core)
    watch_latency(target, route, generation, core)
    watch_retries(target, route, generation, core)
    watch_bulkhead(target, generation, core)
    watch_trace(target, route)
    watch_phases(target, route)
    pool.bulkhead = target.bulkhead
    return target
