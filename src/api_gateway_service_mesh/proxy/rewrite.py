"""Rewrites as a stage: the last word on what the backend is asked for, so behind all that looks at the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing import path_change

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["rewrite_gates"]

_HOST = re.compile(rb"(?im)^host:[^\r\n]*\r\n")


def rewrite_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that has a rewrite."""
    route = handler.route
    rewrite = route.rewrite
    if rewrite is None:
        return []
    change = path_change(route.match.path, rewrite)
    host = b"Host: %b\r\n" % rewrite.host.encode("ascii") if rewrite.host is not None else None
    counters = EventCounters(core.cells.view, generation.slots["event", rewrite.iri], core.worker)

    def apply(exchange: Exchange) -> Refusal | None:
        counters.count(0)
        if change is not None:
            path, mark, query = exchange.target_bytes.partition(b"?")
            if path.startswith(b"/"):
                exchange.target_bytes = change(path.decode("ascii")).encode("ascii") + mark + query
        if host is not None:
            exchange.fields = _HOST.sub(lambda _: host, exchange.fields, count=1)
        return None

    return [apply]
