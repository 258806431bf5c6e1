"""What of a request a policy is keyed by (``agw:limitKey``, ``agw:hashKey``)."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import KeyKind, RequestKey

if TYPE_CHECKING:
    from .exchange import Exchange
    from .head import Block

__all__ = ["address_block", "cookie", "request_key"]


def request_key(key: RequestKey, exchange: Exchange) -> str:
    """What of the request a policy is keyed by; the empty text when it is not there (all such share one bucket)."""
    kind = key.kind
    if kind is KeyKind.CLIENT_ADDRESS:
        return exchange.client
    if kind is KeyKind.HEADER:
        return exchange.block.header(key.name) or ""
    if kind is KeyKind.COOKIE:
        return cookie(exchange.block, key.name) or ""
    if kind is KeyKind.ROUTE:
        return exchange.handler.route.iri if exchange.handler is not None else ""
    caller = exchange.caller
    if caller is None:
        return ""
    return caller.api_key if kind is KeyKind.API_KEY else caller.claim_key(key.name)


def address_block(address: str, bits: int) -> str:
    """What of a client's address stands for one host: an IPv4 address, also one that is mapped into IPv6 (RFC 4291
    §2.5.5.2), is itself; of an IPv6 address the first `bits`, since whoever has one has its whole network."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped is not None else f"{int(found) >> (128 - bits):x}/{bits}"


def cookie(block: Block, name: str) -> str | None:
    """The value of a cookie, the first of that name (RFC 6265 §4.2.1 and §5.4); None when the request has none.

    Cookies may come in several fields (RFC 9113 §8.2.3). Their values are opaque: quotes belong to them.
    """
    wanted = name.encode("utf-8") + b"="
    for line in block.lines:
        if line[:7].lower() == b"cookie:":
            for pair in line[7:].split(b";"):
                pair = pair.strip(b" \t")
                if pair.startswith(wanted):
                    return pair[len(wanted) :].decode("utf-8", "replace")
    return None
