"""Redirects as a stage. A request that would be sent to where it came from goes on: so one route can serve a TLS
listener, and send the requests of a plain one there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing import locator

from .forwarded import came_over_tls
from .problem import Direct, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["redirect_gates"]


def redirect_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that has a redirect."""
    redirect = handler.route.redirect
    if redirect is None:
        return []
    locate = locator(handler.route, redirect)
    counters = EventCounters(core.cells.view, generation.slots["event", redirect.iri], core.worker)
    status, iri = redirect.status, redirect.iri

    def send(exchange: Exchange) -> Refusal | None:
        path, _, query = exchange.target_bytes.decode("ascii").partition("?")
        authority = exchange.authority or exchange.block.marks.authority
        if authority is None or not path.startswith("/"):
            return None
        place = locate("https" if came_over_tls(exchange.fields) else "http", authority.decode("ascii"), path, query)
        if place is None:
            return None
        counters.count(0)
        body = place.encode("ascii") + b"\n"
        fields = b"Location: %b\r\n" % place.encode("ascii")
        return Direct(status, "redirect", "", fields, iri, body=body, content_type=b"text/plain; charset=utf-8")

    return [send]
