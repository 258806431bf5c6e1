"""Bulkheads: the bounds of an upstream's connection pool on requests and retries under way, and on waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import Bulkhead, Overflow

from .attempt import AttemptOutcome
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["overflow", "wait_for_places", "watch_bulkhead"]

_KINDS = {
    Overflow.QUEUE_FULL: ("upstream-overloaded", "too many requests wait for the backend"),
    Overflow.QUEUE_TIMEOUT: ("upstream-queue-timeout", "the request waited too long for a connection to the backend"),
    Overflow.REQUESTS: ("upstream-request-limit", "too many requests are under way to the backend"),
}


def watch_bulkhead(target: Target, generation: Generation, core: Core) -> None:
    """Give `target` the bulkhead of its upstream."""
    base = generation.slots.get(("bulkhead", target.upstream.iri))
    if base is None:
        return
    bounds = target.upstream.pool
    target.bulkhead = Bulkhead(
        core.cells.view,
        base,
        max_requests=bounds.max_requests,
        max_retries=bounds.max_concurrent_retries,
        workers=core.workers,
        worker=core.worker,
        lock=core.lock,
    )
    target.bounded = bounds.max_requests is not None
    if target.bounded or bounds.max_concurrent_retries is not None:
        target.on_attempt = (*target.on_attempt, _left)


def wait_for_places(handler: RouteHandler) -> None:
    """Give back, at the end of each request, the place of a retry that never began."""
    handler.on_end = (*handler.on_end, _ended)


def overflow(target: Target, what: Overflow, authority: str) -> Refusal:
    """The refusal of a request for which there is no place, counted unless it was."""
    problem, detail = _KINDS[what]
    if target.bulkhead is not None and what is not Overflow.REQUESTS:
        target.bulkhead.refused(what)
    policy = target.upstream.pool.iri or None
    return Refusal(503, problem, detail, b"", policy, failure=True, reason=f"{detail} ({authority})")


def _left(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
    bulkhead = exchange.entered
    if bulkhead is not None:
        exchange.entered = None
        bulkhead.leave()
    if not exchange.retrying:  # else the next attempt goes on with the place
        _ended(exchange, outcome.now)


def _ended(exchange: Exchange, now: float) -> None:
    bulkhead = exchange.entered_retry
    if bulkhead is not None:
        exchange.entered_retry = None
        bulkhead.leave_retry()
