"""Writes answers to one client connection in the version of HTTP it speaks."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING

from .answer import AnswerHead
from .chunked import encode_chunk
from .trailers import last_chunk

if TYPE_CHECKING:
    from .answering import Answering
    from .core import Core
    from .exchange import Exchange

__all__ = ["AnswerWriter"]

_NO_LINGERING = struct.pack("ii", 1, 0)


class AnswerWriter:
    """The answering half of `downstream.ClientConnection`.

    Whether the connection lives on is decided when the head of an answer is written: the client wants it, and the
    body of its request has been read to its end.
    """

    __slots__ = ("_chunked", "_core", "_exchange", "_keep_alive", "_minor", "_paused", "_transport", "_write")

    _chunked: bool
    _core: Core
    _exchange: Exchange | None
    _keep_alive: bool
    _minor: int
    _paused: bool
    _transport: asyncio.Transport
    _write: Callable[[bytes], object]

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer in one write."""
        if self._keep_alive and exchange.body_done:
            if self._minor:
                if raw is not None:
                    self._write(raw)
                elif head.dated:
                    self._write(b"%b%b\r\n%b" % (head.line.wire, head.block, payload))
                else:
                    self._write(b"%b%b\r\n%b" % (head.wire, self._core.date_line(), payload))
                return
            persistence = b"Connection: keep-alive\r\n"
        else:
            self._keep_alive = False
            persistence = b"Connection: close\r\n"
        date = b"" if head.dated else self._core.date_line()
        self._write(b"%b%b%b\r\n%b" % (head.wire, date, persistence, payload))

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        if not exchange.body_done:
            self._keep_alive = False
        lines = b"" if head.dated else self._core.date_line()
        self._chunked = False
        if head.length is None:
            if self._minor:
                self._chunked = True
                lines += b"Transfer-Encoding: chunked\r\n"
            else:
                self._keep_alive = False
        if not self._keep_alive:
            lines += b"Connection: close\r\n"
        elif not self._minor:
            lines += b"Connection: keep-alive\r\n"
        self._write(b"%b%b\r\n" % (head.wire, lines))

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        self._write(encode_chunk(payload) if self._chunked else payload)

    def end(self) -> None:
        """The body has ended."""
        if self._chunked:
            exchange = self._exchange
            if exchange is not None and exchange.answer_trailers:
                self._write(last_chunk(exchange.answer_trailers))
            else:
                self._write(b"0\r\n\r\n")

    def cut(self) -> None:
        """End without an end: no final chunk, or fewer bytes than announced, or (HTTP/1.0) a reset."""
        self._keep_alive = False
        if self._minor:
            self._transport.close()
        else:
            self._transport.abort()

    def reset(self) -> None:
        """No answer at all: what was said is thrown away, and the client's system hears RST."""
        self._keep_alive = False
        socket = self._transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGERING)
        self._transport.abort()

    def interim(self, head: AnswerHead) -> None:
        """1xx, which HTTP/1.0 does not know."""
        if self._minor:
            self._write(b"%b\r\n" % head.wire)

    def pause_body(self) -> None:
        """Read no more for now."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_body(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
