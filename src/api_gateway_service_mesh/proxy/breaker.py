"""The breaker's stage: asked once a request, told the outcome once (`Exchange._end`)."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import CircuitBreaker

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["breaker_gates"]


def breaker_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of the route's circuit breaker: 503 ``circuit-open`` while it admits nobody."""
    config = handler.route.breaker
    if config is None:
        return []
    lease = max(60.0, 2 * (handler.total_seconds or 0.0))
    base = generation.slots["breaker", config.iri]
    breaker = CircuitBreaker(config, core.cells.view, base, core.lock, lease_seconds=lease)
    handler.breaker = breaker
    admit = breaker.admit

    def ask(exchange: Exchange) -> Refusal | None:
        ticket = admit(exchange.started)
        if ticket:
            exchange.ticket = ticket
            return None
        wait = max(1, math.ceil(breaker.retry_after_seconds(monotonic())))
        return Refusal(
            503,
            "circuit-open",
            "the circuit breaker is open after failures of the backend",
            b"Retry-After: %d\r\n" % wait,
            config.iri,
        )

    return [ask]
