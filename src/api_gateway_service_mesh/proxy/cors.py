"""CORS as a stage: preflights are answered here, and the answers of the others say who may read them.

It comes before all that refuses but the overload guard, so that a page sees why it was refused; and before
authentication, since browsers send no credentials with a preflight (Fetch standard, "CORS protocol and credentials").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.cors import CorsRules, preflight_method

from .problem import Direct, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["cors_gates"]

_ADMITTED, _REFUSED, _FOREIGN = 0, 1, 2

_OURS: Final = frozenset(
    (
        b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-allow-methods",
        b"access-control-allow-headers", b"access-control-max-age", b"access-control-expose-headers",
        b"access-control-allow-private-network",
    )
)  # fmt: skip
"""What a backend says of these is taken away: two of them would make a browser refuse the answer."""

_VARY: Final = b"Vary: Origin\r\n"
_PREFLIGHT_VARY: Final = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


def cors_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that has a CORS policy."""
    cors = handler.route.cors
    if cors is None:
        return []
    rules = CorsRules(cors, handler.route.match.methods)
    counters = EventCounters(core.cells.view, generation.slots["event", cors.iri], core.worker)
    iri, anybody = cors.iri, rules.anybody
    exposed = _list(b"Access-Control-Expose-Headers", cors.exposed)
    allowed = _list(b"Access-Control-Allow-Methods", rules.methods) + _list(
        b"Access-Control-Allow-Headers", cors.headers
    )
    if cors.max_age_seconds is not None:
        allowed += b"Access-Control-Max-Age: %d\r\n" % cors.max_age_seconds
    credentials = b"Access-Control-Allow-Credentials: true\r\n" if cors.credentials else b""

    def grant(origin: str) -> bytes:
        named = b"*" if anybody else origin.encode("ascii")
        return b"Access-Control-Allow-Origin: %b\r\n%b" % (named, credentials)

    def judge(exchange: Exchange) -> Refusal | None:
        block = exchange.block
        origin = block.header("origin")
        asked = preflight_method(exchange.method, block.header)
        if asked is not None and origin is not None:
            objection = rules.objection(origin, asked, block.header("access-control-request-headers") or "")
            if objection is not None:
                counters.count(_REFUSED)
                return Refusal(403, "cors-refused", objection, _PREFLIGHT_VARY, iri)
            counters.count(_ADMITTED)
            return Direct(204, "cors-preflight", "", grant(origin) + allowed + _PREFLIGHT_VARY, iri)
        exchange.answer_drops |= _OURS
        fields = b"" if anybody else _VARY
        if anybody or (origin is not None and rules.admits(origin)):
            fields += grant(origin or "") + exposed
        elif origin is not None:
            counters.count(_FOREIGN)
        exchange.answer_fields += fields
        return None

    return [judge]


def _list(name: bytes, values: tuple[str, ...]) -> bytes:
    return b"%b: %b\r\n" % (name, ", ".join(values).encode("ascii")) if values else b""
