"""From a checked head to an exchange: finds the route and who is asking. Both kinds of client side go through here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.routing.cors import routed

from .exchange import Exchange
from .forwarded import Peer, client_address, request_id
from .head import Block
from .problem import Refusal
from .request_line import routing_host

if TYPE_CHECKING:
    from .client_side import Downstream
    from .core import Core, Generation

__all__ = ["open_exchange", "unrouted"]

_NO_HEADERS: dict[str, str] = {}


def open_exchange(
    core: Core,
    generation: Generation,
    down: Downstream,
    peer: Peer,
    block: Block,
    fields: bytes,
    method: str,
    target: bytes,
    path: str,
    query: str,
    authority: bytes | None,
) -> Exchange:
    """The exchange for a request; its ``handler`` is None when no route takes it."""
    host = block.marks.host if authority is None else routing_host(authority)
    headers = block.headers if generation.needs_headers else _NO_HEADERS
    if generation.preflights and method == "OPTIONS":
        entry = routed(generation.table, host, method, path, query, block.headers)
    else:
        entry = generation.table.find(host, method, path, query, headers)
    handler = None
    if entry is not None:
        handler = generation.handlers[entry.index] or generation.handler(entry, core)
    client = peer.address
    identity: bytes | None = None
    trusted = False
    if generation.behind_proxies and generation.proxies.trusts(client):
        identity = request_id(block, True)
        client = client_address(block, peer, generation.proxies)
        trusted = True
    exchange = Exchange(
        core, generation, down, handler, method, target, block, fields, client, identity or core.next_request_id()
    )
    if trusted:
        exchange.from_trusted = True
    if peer.certificate is not None:
        exchange.certificate = peer.certificate
    elif peer.unasked:
        exchange.unasked = True
    if authority is not None:
        exchange.authority = authority
    return exchange


def unrouted(exchange: Exchange, host: str, path: str) -> Refusal:
    """404, or 405 when only the method is wrong (RFC 9110 §15.5.6)."""
    allowed = exchange.generation.table.allowed_methods(host, path)
    if allowed and exchange.method not in allowed and not (exchange.is_head and "GET" in allowed):
        allow = ", ".join(allowed)
        return Refusal(
            405, "method-not-allowed", f"this path takes {allow}", b"Allow: %b\r\n" % allow.encode("ascii", "replace")
        )
    return Refusal(404, "no-route", "no route takes this request")
