"""Security headers as a stage: the fields are put together once, when the route goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import SecurityHeaders
from api_gateway_service_mesh.routing.security_headers import header_fields

from .forwarded import came_over_tls
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["security_headers_gates"]


def security_headers_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose answers get security headers."""
    policy = handler.route.security_headers
    if policy is None:
        return []
    plain, plain_drops = _made(policy, False)
    secure, secure_drops = _made(policy, True)

    def give(exchange: Exchange) -> Refusal | None:
        if came_over_tls(exchange.fields):
            exchange.answer_fields += secure
            exchange.answer_drops |= secure_drops
        else:
            exchange.answer_fields += plain
            exchange.answer_drops |= plain_drops
        return None

    return [give]


def _made(policy: SecurityHeaders, secure: bool) -> tuple[bytes, frozenset[bytes]]:
    fields = header_fields(policy, secure=secure)
    lines = b"".join([b"%b: %b\r\n" % (name.encode("ascii"), value.encode("ascii")) for name, value in fields])
    # A backend may not say it over plain HTTP either: browsers would not believe it, and proxies might keep it.
    dropped = {name.lower() for name, _ in fields} | set(policy.removes) | {"strict-transport-security"}
    return lines, frozenset(name.encode("ascii") for name in dropped)
