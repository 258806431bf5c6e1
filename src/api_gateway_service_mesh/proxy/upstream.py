"""One connection to a backend: writes a request, reads its answer, strictly.

Whether a connection may serve again is decided in `UpstreamConnection._may_serve_again` alone: the answer ended
exactly, nothing is left over, the request was sent whole, and nobody said close.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from .answer import MAX_ANSWER_HEAD_BYTES, AnswerError, AnswerHead, AnswerReader
from .backend_side import BackendSide
from .chunked import ChunkDecoder, ChunkError, encode_chunk
from .trailers import last_chunk, onward, permitted

if TYPE_CHECKING:
    from .asker import Asker
    from .exchange import Exchange
    from .pool import EndpointPool

__all__ = ["UpstreamConnection"]

MAX_INTERIM_ANSWERS = 16
REMEMBERED_BYTES = 2048


class UpstreamConnection(BackendSide):
    """The `asyncio.Protocol` of one backend connection (by its methods, as `downstream.ClientConnection` is one)."""

    __slots__ = (
        "_buffer", "_decoder", "_head", "_in_body", "_interims", "_keep_alive", "_left", "_paused", "_raw", "_reader",
        "write",
    )  # fmt: skip

    def __init__(self, pool: EndpointPool, reader: AnswerReader) -> None:
        super().__init__(pool)
        self._reader = reader
        self._raw = b""
        self._head: AnswerHead | None = None
        self._buffer = b""
        self._in_body = False
        self._left = 0
        self._decoder: ChunkDecoder | None = None
        self._interims = 0
        self._keep_alive = False
        self._paused = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            if self.tunnel is not None:
                self.tunnel.from_upstream(data)
            else:
                # Bytes nobody asked for: whatever they are, they must not become the next request's answer.
                self.abort()
            return
        if self._in_body:
            self._body(exchange, data)
            return
        self.started = True
        if self._buffer:
            data = self._buffer + data
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                if len(data) > MAX_ANSWER_HEAD_BYTES:
                    self._bad(exchange, "the head of the answer is too long")
                elif not data.startswith(b"HTTP/1."[: len(data)]):
                    self._bad(exchange, "the answer is not HTTP/1.1")
                else:
                    self._buffer = data
                return
            raw = data[:end]
            if raw == self._raw:
                head = cast(AnswerHead, self._head)
            else:
                try:
                    head = self._reader.head(raw)
                except AnswerError as error:
                    self._bad(exchange, str(error))
                    return
                if end <= REMEMBERED_BYTES:
                    self._raw, self._head = raw, head
            if head.status >= 200:
                break
            data = data[end:]
            self._buffer = b""
            if head.status == 101:
                self._upgrade(exchange, head, data)
                return
            self._interims += 1
            if self._interims > MAX_INTERIM_ANSWERS:
                self._bad(exchange, "too many interim answers")
                return
            exchange.interim(head)
            if not data:
                return
        self._buffer = b""
        self._answer(exchange, head, data, end)

    def _answer(self, exchange: Asker, head: AnswerHead, data: bytes, end: int) -> None:
        size = len(data)
        self._keep_alive = head.keep_alive
        if exchange.is_head or head.bodyless:
            whole, payload = True, b""
            if size != end:
                self._keep_alive = False
                data = data[:end]
        elif head.length is not None:
            self._left = head.length - (size - end)
            whole = self._left <= 0
            if self._left < 0:
                self._keep_alive = False
                data = data[: self._left]
            payload = data[end:]
        elif head.chunked:
            whole = False
            self._decoder = ChunkDecoder()
            payload = b""
        else:
            whole = False
            self._keep_alive = False
            self._left = -1
            payload = data[end:]
        if whole:
            exchange.answered(self, head, payload, data)
            return
        self._in_body = True
        if not exchange.answer_begins(self, head):
            return
        rest = payload if self._decoder is None else data[end:]
        if rest:
            if self._decoder is None:
                exchange.answer_body(rest)
            else:
                self._body(exchange, rest)

    def _body(self, exchange: Asker, data: bytes) -> None:
        decoder = self._decoder
        if decoder is not None:
            try:
                payload = decoder.feed(data)
            except ChunkError as error:
                self._bad(exchange, str(error))
                return
            if payload:
                exchange.answer_body(payload)
            if decoder.done and self.exchange is exchange:
                if decoder.rest:
                    self._keep_alive = False
                if decoder.trailers is not None:
                    exchange.trailed(permitted(decoder.trailers))
                exchange.answer_ends(self)
            return
        left = self._left
        if left < 0:
            exchange.answer_body(data)
            return
        if len(data) > left:
            self._keep_alive = False
            data = data[:left]
        self._left = left = left - len(data)
        exchange.answer_body(data)
        if not left and self.exchange is exchange:
            exchange.answer_ends(self)

    def _upgrade(self, exchange: Asker, head: AnswerHead, rest: bytes) -> None:
        if not exchange.wants_upgrade or (head.upgrade or b"").lower() != b"websocket":
            self._bad(exchange, "an upgrade that was not asked for")
            return
        exchange.upgraded(self, head, rest)

    def _bad(self, exchange: Asker, detail: str) -> None:
        self.detach()
        self.abort()
        exchange.lost(self, detail, malformed=True)

    def eof_received(self) -> bool:
        if self.tunnel is not None:
            return self.tunnel.upstream_ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.pool.lost(self)
        if self.tunnel is not None:
            self.tunnel.upstream_lost()
            return
        exchange = self.exchange
        if exchange is None:
            return
        self.exchange = None
        if self._in_body and self._left < 0 and self._decoder is None and exc is None:
            exchange.answer_ends(self)
        else:
            exchange.lost(self, "the connection to the backend was closed before the answer ended")

    def pause_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.upstream_full()
        elif self.exchange is not None:
            self.exchange.upstream_full()

    def resume_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.upstream_ready()
        elif self.exchange is not None:
            self.exchange.upstream_ready()

    # -- for the exchange

    def ask(self, asker: Asker, exchange: Exchange, pieces: list[bytes]) -> int:
        """Head and pieces in one write."""
        self.exchange = asker
        self.started = False
        self._in_body = False
        self._decoder = None
        self._interims = 0
        fields = exchange.fields if not exchange.tells else exchange.fields + exchange.told(asker)
        method = b"GET " if exchange.method == "GET" else exchange.method.encode("ascii") + b" "
        target, identity = exchange.target_bytes, exchange.request_id
        head = b"".join((method, target, b" HTTP/1.1\r\n", fields, b"X-Request-Id: ", identity, b"\r\n\r\n"))
        if exchange.block.marks.chunked:
            head += self._chunks(exchange, pieces)
        elif pieces:
            head += b"".join(pieces)
        self.write(head)
        return len(head)

    def more(self, exchange: Exchange, pieces: list[bytes]) -> int:
        """The pieces as they came, or as chunks."""
        wire = self._chunks(exchange, pieces) if exchange.block.marks.chunked else b"".join(pieces)
        if wire:
            self.write(wire)
        return len(wire)

    def _chunks(self, exchange: Exchange, pieces: list[bytes]) -> bytes:
        wire = b"".join(map(encode_chunk, pieces))
        if not exchange.body_done:
            return wire
        if exchange.request_trailers and self.pool.parent.upstream.accepts_trailers:
            return wire + last_chunk(onward(exchange))
        return wire + b"0\r\n\r\n"

    def finish(self, request_sent: bool, now: float) -> None:
        """The answer has ended: back to the pool, or closed."""
        self.exchange = None
        self.served += 1
        self.resume()  # an idle connection must see its end, and bytes that nobody asked for
        if self._may_serve_again(request_sent):
            self.pool.put(self, now)
        else:
            self.close()

    def _may_serve_again(self, request_sent: bool) -> bool:
        return (
            request_sent
            and self._keep_alive
            and self.served < self.pool.max_served
            and not self.closed
            and not self._buffer
            and not self.transport.is_closing()
        )

    def pause(self) -> None:
        """Read no more for now."""
        if not self._paused and not self.closed:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def close(self) -> None:
        """Close after what is written has left."""
        self.closed = True
        self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.closed = True
        self.transport.abort()
