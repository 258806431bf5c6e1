"""Transformations as a stage: header fields and queries of requests, header fields of answers. Behind all that looks at
the request as the client sent it; what the gateway answers before is not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.transform import field_change, query_change

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["answer_gates", "transform_gates"]


def transform_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose requests are changed."""
    asked = handler.route.request_transformation
    if asked is None:
        return []
    return [_requests(asked, EventCounters(core.cells.view, generation.slots["event", asked.iri], core.worker))]


def answer_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose answers are changed."""
    told = handler.route.response_transformation
    if told is None:
        return []
    return [_answers(told, EventCounters(core.cells.view, generation.slots["event", told.iri], core.worker))]


def _requests(transformation: RequestTransformation, counters: EventCounters) -> Gate:
    fields, query = field_change(transformation), query_change(transformation)

    def change(exchange: Exchange) -> Refusal | None:
        counters.count(0)
        if fields is not None:
            exchange.fields = fields(exchange.fields)
        if query is not None:
            path, _, asked = exchange.target_bytes.partition(b"?")
            if path.startswith(b"/"):
                made = query(asked.decode("latin-1")).encode("latin-1")
                exchange.target_bytes = path + b"?" + made if made else path
        return None

    return change


def _answers(transformation: ResponseTransformation, counters: EventCounters) -> Gate:
    lines = b"".join(
        b"%b: %b\r\n" % (name.encode("ascii"), value.encode("ascii"))
        for name, value in (*transformation.sets, *transformation.adds)
    )
    named = (*transformation.removes, *(name.lower() for name, _ in transformation.sets))
    drops = frozenset(name.encode("ascii") for name in named)

    def change(exchange: Exchange) -> Refusal | None:
        counters.count(0)
        exchange.answer_fields += lines
        exchange.answer_drops |= drops
        return None

    return change
