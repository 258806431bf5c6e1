"""What agw says about the client to the backend, and what it believes of what the client says.

``X-Forwarded-For``, ``-Proto``, ``-Host``, ``Forwarded`` (RFC 7239) and ``X-Request-Id`` are replaced, unless the
peer's address is one of the mesh's trusted proxies: then the first four are appended to and the id is kept. ``Via``
is always appended to (RFC 9110 §7.6.3).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from .head import Block

__all__ = ["Peer", "TrustedProxies", "client_address", "request_id", "upstream_fields"]

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_PROTO = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{0,15}")


class TrustedProxies:
    """CIDR blocks, asked once a connection."""

    __slots__ = ("_networks", "trusts")

    def __init__(self, blocks: tuple[str, ...]) -> None:
        self._networks = tuple(ipaddress.ip_network(block, strict=False) for block in blocks)
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def _trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._networks)


class Peer:
    """The other end of one client connection: ``address`` (no port), ``scheme``, and the authority it connected to."""

    __slots__ = ("address", "local", "scheme")

    def __init__(self, address: str, scheme: str, local: bytes) -> None:
        self.address = address
        self.scheme = scheme
        self.local = local


def client_address(block: Block, peer: Peer, proxies: TrustedProxies) -> str:
    """Who is asking: the peer, or what trusted proxies say stands before them (the rightmost that is not trusted)."""
    if not block.x_forwarded_for or not proxies.trusts(peer.address):
        return peer.address
    address = peer.address
    for part in reversed(block.x_forwarded_for.decode("latin-1").split(",")):
        candidate = part.strip().strip("[]")
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
        if not proxies.trusts(candidate):
            break
    return address


def request_id(block: Block, trusted: bool) -> bytes | None:
    """The id the request already has, when a trusted proxy gave it."""
    if trusted and block.request_id and _REQUEST_ID.fullmatch(block.request_id):
        return block.request_id
    return None


def upstream_fields(block: Block, peer: Peer, trusted: bool, authority: bytes | None, minor: int) -> bytes:
    """The header fields that go upstream, but for the request id: Host first, framing last."""
    host = authority or block.authority or peer.local
    address = peer.address.encode("ascii", "replace")
    node = b'"[%b]"' % address if b":" in address else address
    scheme = peer.scheme.encode()
    forwarded = b'for=%b;host="%b";proto=%b' % (node, host, scheme)
    x_for, x_proto, x_host = address, scheme, host
    if trusted:
        if block.x_forwarded_for:
            x_for = b"%b, %b" % (block.x_forwarded_for, address)
        if block.forwarded:
            forwarded = b"%b, %b" % (block.forwarded, forwarded)
        if _PROTO.fullmatch(block.x_forwarded_proto):
            x_proto = block.x_forwarded_proto
        x_host = block.x_forwarded_host or host
    via = b"1.%d agw" % minor
    if block.via:
        via = b"%b, %b" % (block.via, via)
    lines = [b"Host: ", host, b"\r\n", block.forward]
    if block.upgrade is not None and block.upgrade.lower() == b"websocket" and minor:
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    if block.expect and minor and (block.length or block.chunked):
        lines.append(b"Expect: 100-continue\r\n")
    lines.append(
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nForwarded: %b\r\nVia: %b\r\n"
        % (x_for, x_proto, x_host, forwarded, via)
    )
    lines.append(block.framing)
    return b"".join(lines)
