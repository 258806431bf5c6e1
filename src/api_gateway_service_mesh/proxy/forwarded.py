"""What agw says about the client to the backend, and what it believes of what the client says.

``X-Forwarded-For``, ``-Proto``, ``-Host``, ``Forwarded`` (RFC 7239) and ``X-Request-Id`` are replaced, unless the
peer's address is one of the mesh's trusted proxies: then the first four are appended to and the id is kept.
``X-Forwarded-Client-Cert`` goes on by a route's rule alone (`client_certificate`). ``Via`` is always appended to
(RFC 9110 §7.6.3).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache

from api_gateway_service_mesh.security.peer import PeerCertificate, peer_certificate
from api_gateway_service_mesh.security.tls import UnaskingContext

from .head import Block, Marks

__all__ = [
    "Peer",
    "TrustedProxies",
    "around",
    "came_over_tls",
    "client_address",
    "peer_of",
    "request_id",
    "upstream_fields",
]

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
#: By the version that was received (RFC 9110 §7.6.3): HTTP/1.0, HTTP/1.1, HTTP/2.
_VIA = (b"1.0 agw", b"1.1 agw", b"2.0 agw")
_NOTHING: dict[bytes, bytes] = {}
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
    """The other end of one client connection: ``address`` (no port), ``scheme``, the authority it connected to, and the
    certificate that it showed, when the handshake verified one; ``unasked``: the handshake might have asked for one,
    and did not, for the host that the client named."""

    __slots__ = ("address", "certificate", "local", "scheme", "unasked")

    def __init__(
        self,
        address: str,
        scheme: str,
        local: bytes,
        certificate: PeerCertificate | None = None,
        unasked: bool = False,
    ) -> None:
        self.address = address
        self.scheme = scheme
        self.local = local
        self.certificate = certificate
        self.unasked = unasked


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """The client at the other end of `transport`."""
    peer = transport.get_extra_info("peername")
    secured = transport.get_extra_info("ssl_object")
    local = transport.get_extra_info("sockname")
    authority = b"localhost"
    if isinstance(local, tuple):
        host = f"[{local[0]}]" if ":" in str(local[0]) else str(local[0])
        authority = f"{host}:{local[1]}".encode("ascii", "replace")
    address = str(peer[0]) if isinstance(peer, tuple) else "unknown"
    unasked = isinstance(transport.get_extra_info("sslcontext"), UnaskingContext)
    return Peer(address, "http" if secured is None else "https", authority, peer_certificate(secured), unasked)


def client_address(block: Block, peer: Peer, proxies: TrustedProxies) -> str:
    """Who is asking: the peer, or what trusted proxies say stands before them (the rightmost that is not trusted)."""
    if not proxies.trusts(peer.address):
        return peer.address
    told = block.asserted.get(b"x-forwarded-for")
    if not told:
        return peer.address
    address = peer.address
    for part in reversed(told.decode("latin-1").split(",")):
        candidate = _without_port(part.strip())
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            break
        address = candidate
        if not proxies.trusts(candidate):
            break
    return address


def _without_port(node: str) -> str:
    """Some proxies tell the port too: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``. Without this, all their clients would
    be taken for the proxy, and be given what is given to it."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0] if node.count(":") == 1 else node


def request_id(block: Block, trusted: bool) -> bytes | None:
    """The id the request already has, when a trusted proxy gave it."""
    if trusted:
        told = block.asserted.get(b"x-request-id")
        if told and _REQUEST_ID.fullmatch(told):
            return told
    return None


def upstream_fields(block: Block, peer: Peer, trusted: bool, authority: bytes | None, minor: int) -> bytes:
    """The header fields that go upstream, but for the request id: Host first, framing last. `minor`: 0 and 1 for
    HTTP/1.0 and 1.1, 2 for HTTP/2."""
    asserted = block.asserted if trusted else _NOTHING
    before, after = around(block.marks, peer, asserted, authority, minor)
    return b"%b%b%b%b" % (before, block.forward, after, block.framing)


def around(
    marks: Marks, peer: Peer, asserted: Mapping[bytes, bytes], authority: bytes | None, minor: int
) -> tuple[bytes, bytes]:
    """What of `upstream_fields` stands before and behind the block's own fields. `asserted`: what is believed."""
    host = authority or marks.authority or peer.local
    address = peer.address.encode("ascii", "replace")
    node = b'"[%b]"' % address if b":" in address else address
    scheme = peer.scheme.encode()
    forwarded = b'for=%b;host="%b";proto=%b' % (node, host, scheme)
    x_for, x_proto, x_host = address, scheme, host
    if asserted:
        told = asserted.get(b"x-forwarded-for")
        if told:
            x_for = b"%b, %b" % (told, address)
        told = asserted.get(b"forwarded")
        if told:
            forwarded = b"%b, %b" % (told, forwarded)
        told = asserted.get(b"x-forwarded-proto", b"")
        if _PROTO.fullmatch(told):
            x_proto = told
        x_host = asserted.get(b"x-forwarded-host") or host
    via = _VIA[minor]
    if marks.via:
        via = b"%b, %b" % (marks.via, via)
    hop = b""
    if marks.websocket and minor:
        hop = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    elif marks.trailers and minor:
        hop = b"Connection: TE\r\nTE: trailers\r\n"  # what its client takes, this takes for it
    if marks.expect and minor and (marks.sized or marks.chunked):
        hop += b"Expect: 100-continue\r\n"
    after = (
        b"%bX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nForwarded: %b\r\nVia: %b\r\n"
    ) % (hop, x_for, x_proto, x_host, forwarded, via)
    return b"Host: %b\r\n" % host, after


def came_over_tls(fields: bytes) -> bool:
    """Whether the client did, by what backends are told of it, which trusted proxies may have told."""
    _, found, rest = fields.partition(b"\r\nX-Forwarded-Proto: ")
    return bool(found) and rest[:7] == b"https\r\n"
