"""Direct responses as a stage: the answer is made once, when the route goes live."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.expression import ExpressionError
from api_gateway_service_mesh.routing.template import OWN_PLACES, Template

from .problem import Direct, Refusal
from .template_values import path_places, values_of

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["direct_gates"]

_MOST_BYTES: Final = 1 << 20


def direct_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that is answered here."""
    direct = handler.route.direct
    if direct is None:
        return []
    counters = EventCounters(core.cells.view, generation.slots["event", direct.iri], core.worker)
    fields = b"".join(
        b"%b: %b\r\n" % (name.encode("ascii"), value.strip().encode("ascii"))
        for name, _, value in (field.partition(":") for field in direct.fields)
    )
    answer = Direct(
        direct.status,
        "direct-response",
        "",
        fields,
        direct.iri,
        body=direct.body.encode("utf-8"),
        content_type=direct.content_type.encode("ascii"),
    )

    if direct.is_template:
        plain = direct.content_type.lower().startswith("text/plain")
        template = Template(direct.body, OWN_PLACES, is_json=not plain)
        places = path_places(handler.route)

        def write(exchange: Exchange) -> Refusal | None:
            counters.count(0)
            try:
                body = template.fill(values_of(exchange, exchange.target_bytes, places), _MOST_BYTES)
            except ExpressionError:
                said = "the request holds more than an answer may repeat"
                return Refusal(431, "header-fields-too-large", said, b"", direct.iri)
            return replace(answer, body=body)

        return [write]

    def give(exchange: Exchange) -> Refusal | None:
        counters.count(0)
        return answer

    return [give]
