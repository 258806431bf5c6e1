"""Adaptive concurrency as a stage: asked once a request, told when it is over and what each attempt took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import AdaptiveConcurrency, RequestPriority, Route
from api_gateway_service_mesh.policies import Failure
from api_gateway_service_mesh.policies.concurrency import SHARES, ConcurrencyLimit

from .problem import Refusal

if TYPE_CHECKING:
    from .attempt import AttemptOutcome
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["SHED", "concurrency_gates", "watch_latency"]

SHED = "shed"
"""The flag in the access log of a request that was refused to spare the backend or the gateway."""


def concurrency_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of the route's concurrency limit: 503 ``overloaded`` while as many are under way as it allows."""
    route = handler.route
    config = route.concurrency
    if config is None:
        return []
    machine = _machine(config, generation, core)
    priority = route.request_priority or RequestPriority.NORMAL
    share, admit, release = SHARES[priority], machine.admit, machine.release
    refusal = Refusal(
        503,
        "overloaded",
        "the backend has as many requests under way as it bears",
        b"Retry-After: 1\r\n",
        config.iri,
    )

    def ask(exchange: Exchange) -> Refusal | None:
        if admit(exchange.started, share):
            exchange.holds_place = True
            return None
        exchange.flags = (*exchange.flags, SHED)
        return refusal

    def ended(exchange: Exchange, now: float) -> None:
        if exchange.holds_place:
            exchange.holds_place = False
            release()

    handler.on_end = (*handler.on_end, ended)
    return [ask]


def watch_latency(target: Target, route: Route, generation: Generation, core: Core) -> None:
    """Let the route's concurrency limit hear how long each attempt at `target` took. An attempt that brought no answer
    tells nothing of a queue, except one that ran out of time."""
    if route.concurrency is None:
        return
    sample = _machine(route.concurrency, generation, core).sample

    def told(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
        if outcome.status or outcome.failure is Failure.TIMEOUT:
            sample(outcome.now, outcome.seconds)

    target.on_attempt = (*target.on_attempt, told)


def _machine(config: AdaptiveConcurrency, generation: Generation, core: Core) -> ConcurrencyLimit:
    base = generation.slots["concurrency", config.iri]
    return ConcurrencyLimit(config, core.cells.view, base, core.workers, core.worker, core.lock)
