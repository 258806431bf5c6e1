"""What the places of a template get from a request: what the client sent, before anything is changed of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from api_gateway_service_mesh.model import PathKind, Route
from api_gateway_service_mesh.routing.template import Place

if TYPE_CHECKING:
    from .exchange_state import ExchangeState

__all__ = ["path_places", "values_of"]

_MOST_PARAMETERS = 1000


def path_places(route: Route) -> dict[str, int]:
    """Which segment of a path each name of the route's path template stands for."""
    match = route.match.path
    if match.kind is not PathKind.TEMPLATE:
        return {}
    return {name[1:-1]: at for at, name in enumerate(match.text.split("/")) if name[:1] == "{"}


def values_of(
    exchange: ExchangeState, target: bytes, places: dict[str, int], status: int = 0
) -> Callable[[Place], Any]:
    """What each place gets; `target`: the request's, as it was sent."""
    path, _, query = target.decode("latin-1").partition("?")

    def value(place: Place) -> Any:
        kind, name = place.kind, place.name
        if kind == "path":
            segments = path.split("/")
            at = places.get(name, len(segments))
            return unquote(segments[at]) if at < len(segments) else None
        if kind == "query":
            return _parameter(query, name)
        if kind == "header":
            return exchange.block.header(name.lower())
        if kind == "claim":
            return None if exchange.caller is None else _json(exchange.caller.claims.get(name))
        return status if kind == "status" else _of_request(exchange, name, path)

    return value


def _of_request(exchange: ExchangeState, name: str, path: str) -> str:
    if name == "id":
        return exchange.request_id.decode("ascii", "replace")
    if name == "method":
        return exchange.method
    if name == "host":
        return (exchange.authority or exchange.block.marks.authority or b"").decode("latin-1")
    return unquote(path)


def _parameter(query: str, name: str) -> str | None:
    """The first of that name."""
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:  # more than that: nobody means them
        return None
    return next((value for key, value in found if key == name), None)


def _json(value: Any) -> Any:
    """A claim, if it is JSON that all readers take."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return None
    return value
