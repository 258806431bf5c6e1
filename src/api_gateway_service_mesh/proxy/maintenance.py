"""Maintenance as a stage: the first of all, because it is asked for nothing and knows nobody."""

from __future__ import annotations

import ipaddress
import math
from functools import lru_cache
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import EventCounters

from .condition import condition_test
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["maintenance_gates"]

_TURNED_AWAY, _BYPASSED = 0, 1


def maintenance_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that is closed; none while its maintenance mode is off."""
    mode = handler.route.maintenance
    if mode is None or not mode.enabled:
        return []
    counters = EventCounters(core.cells.view, generation.slots["event", mode.iri], core.worker)
    refusal = Refusal(
        503,
        "maintenance",
        mode.message,
        b"Retry-After: %d\r\n" % max(1, math.ceil(mode.retry_after_seconds)),
        mode.iri,
    )
    blocks = tuple(ipaddress.ip_network(block) for block in mode.bypass_addresses)
    holds = condition_test(mode.bypassed_by) if mode.bypassed_by else None

    def is_let_in(client: str) -> bool:
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in block for block in blocks)

    passes = lru_cache(maxsize=1024)(is_let_in)  # no decorator: compiled, a nested function loses it

    def ask(exchange: Exchange) -> Refusal | None:
        if (blocks and passes(exchange.client)) or (holds is not None and holds(exchange)):
            counters.count(_BYPASSED)
            return None
        counters.count(_TURNED_AWAY)
        return refusal

    return [ask]
