"""What of a request a policy is keyed by (``agw:limitKey``, ``agw:hashKey``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import KeyKind, RequestKey

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["request_key"]


def request_key(key: RequestKey, exchange: Exchange) -> str:
    """What of the request a policy is keyed by; the empty text when it is not there (all such share one bucket)."""
    if key.kind is KeyKind.CLIENT_ADDRESS:
        return exchange.client
    caller = exchange.caller
    if key.kind is KeyKind.API_KEY:
        return caller.api_key if caller is not None else ""
    if key.kind is KeyKind.CLAIM:
        return caller.claim_key(key.name) if caller is not None else ""
    return exchange.block.header(key.name) or "" if key.kind is KeyKind.HEADER else ""
