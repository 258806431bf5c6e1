"""What a connection is told that gets no further than the door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import cast

__all__ = ["FULL", "LINGER_SECONDS", "PLAIN_ON_TLS", "LastWord", "turn_away"]

LINGER_SECONDS = 1.0
PLAIN_ON_TLS = (400, "Bad Request", "tls-required", "This port speaks TLS: use https.")
FULL = (503, "Service Unavailable", "too-many-connections", "The gateway has as many connections as it may hold.")
_FROM_ADDRESS = (
    429, "Too Many Requests", "too-many-connections-from-address", "Your address holds too many connections."
)  # fmt: skip


class LastWord(asyncio.Protocol):
    """Says one thing and hangs up, reading on for a moment: closing with unread input would reset the connection and
    take the answer with it (RFC 9112 §9.6)."""

    def __init__(self, status: int, reason: str, problem: str, detail: str) -> None:
        self._answer = _answer(status, reason, problem, detail)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, connection.abort)
        connection.write(self._answer)
        connection.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()


def turn_away(sock: socket.socket, told: bool) -> None:
    """Close a connection of an address that has enough of them, at once: no task, no transport, no memory. What was
    received is taken first, so that the answer (`told`) is not reset away with it."""
    with contextlib.suppress(OSError):
        if told:
            sock.send(_TOO_MANY)
            sock.shutdown(socket.SHUT_WR)
        sock.recv(65536)
    sock.close()


def _answer(status: int, reason: str, problem: str, detail: str) -> bytes:
    body = f'{{"type":"urn:agw:problem:{problem}","title":"{reason}","status":{status},"detail":"{detail}"}}\n'
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode("ascii")


_TOO_MANY = _answer(*_FROM_ADDRESS)
