"""The bounds on WebSockets (``agw:WebSocketPolicy``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import WebSocketBounds
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["WebSocketRow", "websocket_bounds"]


@dataclass(frozen=True, slots=True)
class WebSocketRow:
    """``websocket.rq``."""

    route: str
    policy: str
    allows: str | None
    maximum: str | None
    idle: str | None
    age: str | None


def websocket_bounds(rows: Iterable[WebSocketRow], reading: Reading) -> Mapping[str, WebSocketBounds]:
    """The bounds of each route, by route IRI."""
    made: dict[str, WebSocketBounds] = {}
    found: dict[str, WebSocketBounds] = {}
    for row in rows:
        iri = row.policy
        if row.route in found:
            continue
        if iri not in made:
            made[iri] = WebSocketBounds(
                iri,
                reading.boolean(iri, AGW.allowsWebSockets, row.allows, True),
                reading.integer(iri, AGW.maximumWebSockets, row.maximum, 1) if row.maximum is not None else None,
                reading.seconds(iri, AGW.webSocketIdleTimeout, row.idle, None),
                reading.seconds(iri, AGW.webSocketMaximumAge, row.age, None),
            )
        found[row.route] = made[iri]
    return found
