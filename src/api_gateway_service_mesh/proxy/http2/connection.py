"""One connection of HTTP/2, whichever end of it agw is: bytes in, events out, bytes out again.

Rules:

- What is written in one turn of the loop goes out in one write.
- A stream whose body waits for the peer's windows, or for a full transport, is told so, and holds back whoever feeds
  it.
- Windows are opened again when a piece of a body was passed on, not when it came in.
- A peer that keeps the gateway busy without asking for anything is told to calm down (GOAWAY ENHANCE_YOUR_CALM) and
  closed. Each frame that is no message costs it a point; points come back with time, and with useful traffic.
  libnghttp2's own bounds (CONTINUATION frames, entries of SETTINGS, acknowledgements nobody reads) end the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from ngh2 import Configuration, Connection, ErrorCode, NGH2Error, Role

if TYPE_CHECKING:
    from ..core import Core

__all__ = ["HIGH_WATER", "LOW_WATER", "Http2Connection", "Http2Stream"]

HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
"""A stream is full when so many bytes of it wait, and takes more when so few do."""
WINDOW: Final = 256 * 1024
CONNECTION_WINDOW: Final = 1024 * 1024
"""What may be under way towards agw on one stream, and on all of a connection's."""

POINTS: Final = 1000
POINTS_A_SWEEP: Final = 50
"""So many frames without use at once, and a tenth of that a second ever after."""
SILENT_BYTES: Final = 128 * 1024
"""So much may come without anything happening: more than any frame or header section that is allowed."""
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 1024 * 1024


class Http2Stream(Protocol):
    """What a connection asks of its streams: to take no more, or more again; and to know that nothing waits."""

    id: int
    full: bool
    """More than `HIGH_WATER` waits."""

    def filled(self) -> None: ...
    def emptied(self) -> None: ...
    def drained(self) -> None: ...


class Http2Connection:
    """The protocol of one connection (by its methods; see `compiled`)."""

    __slots__ = (
        "_busy", "_core", "_flushing", "_full", "_h2", "_points", "_sending", "_silent", "_still", "_thrown_away",
        "_transport", "_write", "closed", "streams",
    )  # fmt: skip

    def __init__(self, core: Core, role: Role, header_bytes: int, header_count: int) -> None:
        self._core = core
        self._h2 = Connection(
            role,
            Configuration(
                auto_window_update=False,
                # One that is a little too large is answered (431); far beyond, the connection ends.
                max_inbound_header_list_size=2 * header_bytes + 64 * 1024,
                max_inbound_header_count=2 * header_count + 100,
                max_continuations=32,
                stream_reset_rate_limit=(2 * POINTS, 2 * POINTS),
            ),
        )
        self._transport: asyncio.Transport
        self._write: Any
        self.streams: dict[int, Any] = {}
        """Those that somebody works on."""
        self._sending: dict[int, Http2Stream] = {}
        """Those of whose bodies something may wait."""
        self._busy = False
        self._flushing = False
        self._full = False
        self.closed = False
        self._points = POINTS
        self._silent = 0
        self._still = 0
        """Sweeps since anything came or went."""
        self._thrown_away = 0

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write

    def data_received(self, data: bytes) -> None:
        if self.closed:
            self._thrown_away += len(data)
            if self._thrown_away > LINGER_BYTES:
                self.abort()
            return
        self._busy = True
        self._still = 0
        try:
            self._h2.receive_data(data)
        except NGH2Error:
            self._busy = False
            self.calm_down()
            return
        events = self._h2.events()
        if events:
            self._silent = 0
            self._handle(events)
        else:
            self._silent += len(data)
            if self._silent > SILENT_BYTES:
                self._points = -1
        self._busy = False
        if self._points < 0:
            self.calm_down()
        else:
            self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._lost()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.flush()

    # -- for streams

    def touch(self) -> None:
        """Something is to be written by the end of this turn."""
        if not self._flushing and not self._busy:
            self._flushing = True
            self._core.loop.call_soon(self.flush)

    def send_body(self, stream: Http2Stream, payload: bytes, end: bool) -> None:
        """Queue a piece of a body."""
        try:
            self._h2.send_data(stream.id, payload, end_stream=end)
        except NGH2Error:
            return  # the stream is gone, and whose it was is about to hear of it
        self._sending[stream.id] = stream
        self.touch()

    def watch(self, stream: Http2Stream) -> None:
        """Tell `stream` when nothing of it waits any more."""
        self._sending[stream.id] = stream
        self.touch()

    def send_trailers(self, stream: Http2Stream, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """End a body with trailers."""
        try:
            self._h2.send_trailers(stream.id, fields)
        except NGH2Error:
            return
        self._sending[stream.id] = stream
        self.touch()

    def took(self, stream_id: int, size: int) -> None:
        """So much of a body was passed on: the peer may send as much again."""
        try:
            self._h2.acknowledge_received_data(size, stream_id)
        except (NGH2Error, ValueError):
            return
        self.touch()

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once."""
        try:
            self._h2.reset_stream(stream_id, code)
        except NGH2Error:
            return
        self.touch()

    def _is_closed(self) -> bool:
        return self.closed

    # -- the turn

    def _handle(self, events: list[Any]) -> None:
        """Act on what has come."""
        raise NotImplementedError

    def _lost(self) -> None:
        """The connection is closed, as is every stream."""
        raise NotImplementedError

    def _ended(self) -> None:
        """HTTP/2 is over here, and its last words are written. Closing with unread bytes would reset the connection
        and take them with it (RFC 9112 §9.6): what still comes in is thrown away for a moment."""
        self.closed = True
        self._still = 0
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        else:
            self._transport.close()

    def flush(self) -> None:
        """Write what there is to write, and tell the streams how they stand."""
        self._flushing = False
        if self.closed:
            return
        h2 = self._h2
        if not self._full:
            self._busy = True
            try:
                while True:
                    wire = h2.data_to_send()
                    if wire:
                        self._still = 0
                        self._write(wire)
                    events = h2.events()
                    if not events:
                        break
                    self._handle(events)
                    if self._is_closed():
                        return
            except NGH2Error:
                self.calm_down()
                return
            finally:
                self._busy = False
        if self._sending:
            self._look_at_queues()

    def _look_at_queues(self) -> None:
        for stream in tuple(self._sending.values()):
            waits = self._h2.queued_body_size(stream.id)
            if stream.full:
                if waits <= LOW_WATER:
                    stream.full = False
                    stream.emptied()
            elif waits > HIGH_WATER:
                stream.full = True
                stream.filled()
            if not waits and not self._full:
                self._sending.pop(stream.id, None)
                stream.drained()

    # -- the end

    def calm_down(self) -> None:
        """The peer floods, or broke a bound: say so, and close."""
        if self.closed:
            return
        self.closed = True
        try:
            self._h2.terminate_connection(ErrorCode.ENHANCE_YOUR_CALM)
            wire = self._h2.data_to_send()
        except NGH2Error:  # what libnghttp2 gives up on says nothing more: say it here (RFC 9113 §6.8)
            wire = b"\0\0\x08\x07\0\0\0\0\0" + bytes(4) + ErrorCode.ENHANCE_YOUR_CALM.to_bytes(4, "big")
        self._write(wire)
        self._ended()
        self._lost()

    def goodbye(self) -> None:
        """No streams are left: close in order."""
        if self.closed:
            return
        try:
            self._h2.terminate_connection(ErrorCode.NO_ERROR)
        except NGH2Error:
            self._ended()
            return
        self.flush()
        if not self.closed:
            self._ended()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()
