"""The bounds on a route's WebSockets, in words."""

from __future__ import annotations

from api_gateway_service_mesh.model import Route, WebSocketBounds

from .part import Part, cite, number

__all__ = ["websocket_part"]


def websocket_part(route: Route, bounds: WebSocketBounds) -> Part:
    """Which WebSockets the route takes."""
    iri, said = bounds.iri, []
    cited = [cite(route.iri, "hasWebSocketPolicy", iri)]
    if not bounds.allowed:
        cited.append(cite(iri, "allowsWebSockets", "false"))
        return Part("WebSockets", iri, "none: handshakes are answered 403", tuple(cited))
    if bounds.maximum is not None:
        cited.append(cite(iri, "maximumWebSockets", str(bounds.maximum)))
        said.append(f"at most {bounds.maximum} open at once")
    if bounds.idle_seconds is not None:
        cited.append(cite(iri, "webSocketIdleTimeout", f"PT{number(bounds.idle_seconds)}S"))
        said.append(f"closed after {number(bounds.idle_seconds)} s without a byte")
    if bounds.age_seconds is not None:
        cited.append(cite(iri, "webSocketMaximumAge", f"PT{number(bounds.age_seconds)}S"))
        said.append(f"closed after {number(bounds.age_seconds)} s")
    return Part("WebSockets", iri, ", ".join(said) or "taken, and counted", tuple(cited))
