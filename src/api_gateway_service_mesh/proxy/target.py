"""Where a route sends to: one upstream as that route uses it, and which of its endpoints an attempt goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Algorithm, KeyKind, RequestKey, Route, Upstream
from api_gateway_service_mesh.policies import Bulkhead, EndpointCounters, RetryBudget, key_hash, make_balancer

from .attempt import OnAttempt
from .breaker import InstanceBreakers, watch_instances
from .bulkhead import watch_bulkhead
from .key import request_key
from .pool import EndpointPool, UpstreamPool
from .problem import Refusal
from .retry import watch_retries

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange

__all__ = ["Target", "find_target"]


class Target:
    """One upstream as one route uses it."""

    __slots__ = (
        "_balancer",
        "_core",
        "_hash_key",
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
        self, upstream: Upstream, pool: UpstreamPool, route: Route, generation: Generation, core: Core
    ) -> None:
        self.upstream = upstream
        slots = generation.slots
        view = core.cells.view
        self.pools: tuple[EndpointPool, ...] = tuple(
            pool.endpoint(endpoint, EndpointCounters(view, slots["endpoint", endpoint.iri], core.worker))
            for endpoint in upstream.endpoints
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
        """There is a bound on the requests under way."""
        self.on_attempt: tuple[OnAttempt, ...] = ()
        """Who is told what became of each attempt."""
        self._core = core
        self._hash_key: RequestKey | None = None
        if len(upstream.endpoints) == 1 and upstream.endpoints[0].weight > 0:
            self.only = self.pools[0]
        config = route.balancer
        if config is not None and config.algorithm is Algorithm.CONSISTENT_HASH:
            self._hash_key = config.hash_key or RequestKey(KeyKind.CLIENT_ADDRESS)
        self._balancer = make_balancer(upstream, config, view, slots, route, core.workers, core.worker)
        self.nowhere = Refusal(503, "no-endpoint", f"{upstream.name} has no endpoint left to try", failure=True)

    def pick(self, exchange: Exchange) -> int:
        """Index of the endpoint for the next attempt, -1 for none."""
        hashed = key_hash(request_key(self._hash_key, exchange)) if self._hash_key is not None else 0
        return self._balancer.pick(exchange.started, self._core.random(), hashed, exchange.tried)


def find_target(iri: str, route: Route, generation: Generation, core: Core) -> Target | Refusal:
    """The upstream `iri` as `route` uses it, or why nothing can be sent there."""
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
    target = Target(upstream, pool, route, generation, core)
    watch_instances(target, route, generation, core)
    watch_retries(target, route, generation, core)
    watch_bulkhead(target, generation, core)
    pool.bulkhead = target.bulkhead
    return target
