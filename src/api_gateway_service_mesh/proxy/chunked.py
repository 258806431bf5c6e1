"""Strict decoder of the chunked coding (RFC 9112 §7.1), for both sides.

Chunk extensions are checked, dropped and counted. Trailers are checked, counted and kept apart: what may go on, and to
whom, is for `trailers` to say. A field that arrives after the head was acted upon is how smuggled fields get in.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ChunkDecoder", "ChunkError", "encode_chunk"]

MAX_LINE_BYTES = 512
MAX_EXTENSION_BYTES = 16 * 1024
MAX_TRAILER_BYTES = 8 * 1024
MAX_TRAILERS = 64

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QDTEXT = rb"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*+"
_QUOTED = rb'"' + _QDTEXT + rb"(?:\\[\t \x21-\x7e\x80-\xff]" + _QDTEXT + rb')*"'
_EXTENSION = rb"(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(" + _EXTENSION + rb")\r\n")
_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,15}(?:\r?\Z|[;\r])")
_TRAILER = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n")
# The longest text that may still become a size line.
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")


_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3


class ChunkError(ValueError):
    """The coding is broken; the connection cannot be used further."""


class ChunkDecoder:
    """Feed it what arrives; it gives back payload. After ``done``, ``rest`` is what came behind the body."""

    __slots__ = ("_buffer", "_extensions", "_left", "_state", "_trailer_bytes", "done", "rest", "trailers")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._state = _SIZE
        self._extensions = 0
        self._trailer_bytes = 0
        self.done = False
        self.rest = b""
        self.trailers: list[tuple[bytes, bytes]] | None = None
        """Names in lower case, and values; None while there are none."""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`.

        Raises:
            ChunkError: `data` breaks the grammar or a bound.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if self._state == _DATA and len(data) <= self._left:
            self._left -= len(data)
            if not self._left:
                self._state = _DATA_END
            return data
        pieces: list[bytes] = []
        position = 0
        while not self.done:
            before = position
            if self._state == _DATA:
                piece = data[position : position + self._left]
                if piece:
                    pieces.append(piece)
                    position += len(piece)
                    self._left -= len(piece)
                if self._left:
                    return b"".join(pieces)
                self._state = _DATA_END
            elif self._state == _DATA_END:
                end = data[position : position + 2]
                if end == b"\r\n":
                    position += 2
                    self._state = _SIZE
                elif end and end != b"\r":
                    raise ChunkError("a chunk is longer than its size says")
            elif self._state == _SIZE:
                position = self._size_line(data, position)
            else:
                position = self._trailer_line(data, position)
            if position == before and self._state != _DATA_END:
                break
            if position == before and len(data) - position < 2:
                break
        if self.done:
            self.rest = data[position:]
        else:
            self._buffer = data[position:]
        return b"".join(pieces) if len(pieces) != 1 else pieces[0]

    def _size_line(self, data: bytes, position: int) -> int:
        match = _SIZE_LINE.match(data, position)
        if match is None:
            if position < len(data) and not _SIZE_BEGUN.match(data, position):
                raise ChunkError("a chunk size is malformed")
            self._refuse_unfinished(data, position, "a chunk size")
            return position
        size = int(match[1], 16)
        if match[2]:
            self._extensions += len(match[2])
            if self._extensions > MAX_EXTENSION_BYTES:
                raise ChunkError("too many chunk extensions")
        if match.end() - position > MAX_LINE_BYTES:
            raise ChunkError("a chunk size line is too long")
        self._left = size
        self._state = _DATA if size else _TRAILERS
        return match.end()

    def _trailer_line(self, data: bytes, position: int) -> int:
        if data.startswith(b"\r\n", position):
            self.done = True
            return position + 2
        match = _TRAILER.match(data, position)
        if match is None:
            if data[position:] not in (b"", b"\r"):
                self._refuse_unfinished(data, position, "a trailer", MAX_TRAILER_BYTES)
            return position
        self._trailer_bytes += match.end() - position
        trailers = self.trailers
        if trailers is None:
            trailers = self.trailers = []
        if self._trailer_bytes > MAX_TRAILER_BYTES or len(trailers) >= MAX_TRAILERS:
            raise ChunkError("too many trailers")
        name, _, value = data[position : match.end() - 2].partition(b":")
        trailers.append((name.lower(), value.strip(b" \t")))
        return match.end()

    @staticmethod
    def _refuse_unfinished(data: bytes, position: int, what: str, bound: int = MAX_LINE_BYTES) -> None:
        """Raise unless what stands at `position` is merely not there in full yet."""
        if b"\n" in data[position:] or _BARE_LINE_END.search(data, position):
            raise ChunkError(f"{what} is malformed")
        if len(data) - position > bound:
            raise ChunkError(f"{what} is too long")


def encode_chunk(payload: bytes) -> bytes:
    """`payload` (not empty) as one chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)
