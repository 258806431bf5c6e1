"""ACME's questions by TLS (RFC 8737) on a port that shows certificates of an ACME authority."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from api_gateway_service_mesh.model import ChallengeType, IssuerKind, Listener
from api_gateway_service_mesh.security.acme_tls import answer_context, asked_name

__all__ = ["Done", "Questions"]


class Questions:
    """What may be asked about on the port of `listener`; false when nothing may."""

    __slots__ = ("_folders",)

    def __init__(self, listener: Listener) -> None:
        authorities = [each.authority for each in listener.certificates if each.authority is not None]
        asked = [
            str(Path(each.folder) / ".challenges")
            for each in authorities
            if each.kind is IssuerKind.ACME and each.challenge is ChallengeType.TLS_ALPN_01
        ]
        self._folders = tuple(dict.fromkeys(asked))

    def __bool__(self) -> bool:
        return bool(self._folders)

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
