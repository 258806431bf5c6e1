"""ACME's questions by TLS (RFC 8737) on a port that shows certificates of an ACME authority.

Ports without such a certificate look at one byte of a connection, as ever. The others read the ClientHello that lies in
the kernel's buffer, without taking it away: OpenSSL gets all of it afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

from api_gateway_service_mesh.model import ChallengeType, IssuerKind, Listener
from api_gateway_service_mesh.security.acme_tls import answer_context, asked_name, hello_bytes

__all__ = ["Done", "Questions"]

_PEEK_BYTES = 5 + 16 * 1024


class Questions:
    """What may be asked about on the port of `listener`."""

    __slots__ = ("_folders", "peek_bytes")

    def __init__(self, listener: Listener) -> None:
        authorities = [each.authority for each in listener.certificates if each.authority is not None]
        asked = [
            str(Path(each.folder) / ".challenges")
            for each in authorities
            if each.kind is IssuerKind.ACME and each.challenge is ChallengeType.TLS_ALPN_01
        ]
        self._folders = tuple(dict.fromkeys(asked))
        self.peek_bytes = _PEEK_BYTES if asked else 1
        """How much of a connection to look at."""

    def waits(self, sock: socket.socket, seen: bytes) -> bool:
        """Whether more of the ClientHello is to come; `sock` is readable again only when it is all there, or over."""
        if not self._folders:
            return False
        wanted = hello_bytes(seen)
        before = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        more = before < wanted and len(seen) < wanted  # it was asked for before: the peer has ended in the middle
        if more or before != 1:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted if more else 1)
        return more

    def answer(self, hello: bytes) -> ssl.SSLContext | None:
        """What to show to an ACME server that asks about a name; None: it is somebody else, or nothing is asked."""
        if not self._folders:
            return None
        asked = asked_name(hello)
        return answer_context(self._folders, asked) if asked is not None else None


class Done(asyncio.Protocol):
    """The handshake was all (RFC 8737 §3)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
