"""A stream as one end of a tunnel (`proxy.tunnel`): what the tunnel asks of a transport, asked of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ngh2 import ErrorCode

if TYPE_CHECKING:
    from .connection import Http2Connection

__all__ = ["StreamTransport"]


class TunnelStream(Protocol):
    """A stream that a tunnel ends at."""

    id: int
    full: bool

    def filled(self) -> None: ...
    def emptied(self) -> None: ...
    def drained(self) -> None: ...
    def leave(self) -> None: ...
    def pause_body(self) -> None: ...
    def resume_body(self) -> None: ...


class StreamTransport:
    """See the module."""

    __slots__ = ("_closing", "_connection", "_ended", "_stream")

    def __init__(self, connection: Http2Connection, stream: TunnelStream) -> None:
        self._connection = connection
        self._stream = stream
        self._ended = False
        self._closing = False

    def is_closing(self) -> bool:
        """Whether nothing more may be said."""
        return self._closing

    def write(self, data: bytes) -> None:
        """Say `data`."""
        if not self._ended:
            self._connection.send_body(self._stream, data, False)

    def can_write_eof(self) -> bool:
        """Streams end one direction at a time."""
        return True

    def write_eof(self) -> None:
        """Say no more."""
        if not self._ended:
            self._ended = True
            self._connection.send_body(self._stream, b"", True)

    def close(self) -> None:
        """End after what was said has left."""
        if not self._closing:
            self._closing = True
            self._stream.leave()
            self.write_eof()
            self._connection.watch(self._stream)

    def abort(self) -> None:
        """End now."""
        self._closing = True
        self._connection.reset(self._stream.id, ErrorCode.CANCEL)

    def pause_reading(self) -> None:
        """Hear no more for now."""
        self._stream.pause_body()

    def resume_reading(self) -> None:
        """Hear on."""
        self._stream.resume_body()
