"""Transformations as a stage: header fields and queries of requests, header fields of answers. Behind all that looks at
the request as the client sent it; what the gateway answers before is not changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.body import BodyChange, body_change, is_json
from api_gateway_service_mesh.routing.expression import ExpressionError
from api_gateway_service_mesh.routing.strict_json import StrictJsonError
from api_gateway_service_mesh.routing.transform import field_change, query_change

from .exchange_state import REPLAY_BYTES
from .gathering import expects_body, gather, gathered
from .problem import WAIT, Refusal
from .template_values import path_places, values_of

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["answer_gates", "request_body_gates", "transform_gates"]

_LENGTH: Final = re.compile(rb"(?im)^content-length:[^\r\n]*\r\n")
#: What was said of the body as it came: it is not that body any more.
_OF_THE_BODY: Final = re.compile(rb"(?im)^(?:content-md5|content-digest|repr-digest|digest):[^\r\n]*\r\n")


def transform_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose requests are changed."""
    asked = handler.route.request_transformation
    if asked is None:
        return []
    return [_requests(asked, EventCounters(core.cells.view, generation.slots["event", asked.iri], core.worker))]


def request_body_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route where bodies of requests are changed."""
    asked = handler.route.request_transformation
    bodies = None if asked is None else body_change(asked)
    if asked is None or bodies is None:
        return []
    return [_Bodies(asked.iri, bodies, asked.body_bytes, path_places(handler.route)).gate]


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


class _Bodies:
    """The changes to the bodies of one route's requests."""

    def __init__(self, iri: str, change: BodyChange, most: int, places: dict[str, int]) -> None:
        self._iri = iri
        self._change = change
        self._most = most
        self._places = places
        self.gate: Gate = self.ask

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Change the body once it is there. A body that cannot be changed is not let through: who configured this
        counts on it."""
        block, most = exchange.block, self._most
        if not expects_body(exchange) or not is_json(block.header("content-type") or ""):
            return None
        if block.header("content-encoding") is not None:
            said = "the body must have no content coding here"
            return Refusal(415, "unsupported-media-type", said, b"Accept-Encoding: identity\r\n", self._iri)
        if not gather(exchange, self.gate, most):
            return WAIT
        body = gathered(exchange, most)
        if body is None:
            return Refusal(413, "body-too-large", f"the body must have {most} bytes or fewer", b"", self._iri)
        if not body:
            return None
        try:
            made = self._change(body, values_of(exchange, exchange.target_bytes, self._places))
        except StrictJsonError as error:
            return Refusal(400, "malformed-body", f"the body must be JSON: {error}", b"", self._iri)
        except ExpressionError as error:
            said = "the body must be such as this route can read"
            return Refusal(422, "invalid-body", said, b"", self._iri, reason=f"{self._iri}: {error}")
        if made is not None:
            exchange.waiting = [made]
            kept = REPLAY_BYTES if exchange.handler is None else exchange.handler.replay_bytes
            exchange.replay = [made] if len(made) <= kept else None
            fields = _OF_THE_BODY.sub(b"", exchange.fields)
            if not block.marks.chunked:
                fields = _LENGTH.sub(b"", fields) + b"Content-Length: %d\r\n" % len(made)
            exchange.fields = fields
        return None


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
