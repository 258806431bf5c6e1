"""How decrypted bytes reach a protocol: through a room that is there already.

A plain ``asyncio.Protocol`` behind TLS makes the loop's TLS layer ask OpenSSL for up to 256 KiB at a time, into a fresh
object of that size that is then cut down to the few hundred bytes there are. That costs more than the decryption. A
buffered protocol brings its own room: one is enough for all connections of a loop, since what was read is handed on
before anything else is read.
"""

from __future__ import annotations

import asyncio

__all__ = ["ROOM_BYTES", "TlsReader", "make_room"]

ROOM_BYTES = 64 * 1024
"""Four TLS records (RFC 8446 §5.1: 16 KiB each)."""


def make_room() -> memoryview:
    """The room for all TLS connections of one event loop."""
    return memoryview(bytearray(ROOM_BYTES))


class TlsReader(asyncio.BufferedProtocol):
    """Stands between a TLS transport and `protocol`, a plain one, which sees nothing of it."""

    __slots__ = ("_received", "_room", "protocol")

    def __init__(self, protocol: asyncio.Protocol, room: memoryview) -> None:
        self.protocol = protocol
        self._received = protocol.data_received
        self._room = room

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """The room."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self._received(bytes(self._room[:nbytes]))

    def eof_received(self) -> bool | None:
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()
