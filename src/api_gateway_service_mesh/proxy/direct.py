"""Direct responses as a stage: the answer is made once, when the route goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import EventCounters

from .problem import Direct, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["direct_gates"]


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

    def give(exchange: Exchange) -> Refusal | None:
        counters.count(0)
        return answer

    return [give]
