"""One attempt over HTTP/2: the `backend_side.BackendSide` of an exchange."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final, cast

from ngh2 import ErrorCode

from ..answer import AnswerError, AnswerHead, AnswerMarks, StatusLine
from ..backend_side import BackendSide
from ..grpc import grpc_code
from ..trailers import Trailers, onward
from .fields import Field, Fields
from .tunnel import StreamTransport

if TYPE_CHECKING:
    from ..asker import Asker
    from ..exchange import Exchange
    from .backend import Http2Backend
    from .pool import MultiplexedPool

__all__ = ["BackendStream"]

MAX_INTERIM_ANSWERS: Final = 16
_WEBSOCKET: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class BackendStream(BackendSide):
    """See the module."""

    __slots__ = (
        "_backend", "_ended", "_head", "_in_body", "_interims", "_key", "_paused", "_said_all", "_unread", "_unwanted",
        "_wire", "full", "id",
    )  # fmt: skip

    def __init__(self, pool: MultiplexedPool, backend: Http2Backend) -> None:
        super().__init__(pool)
        self._backend = backend
        self.id = 0
        self.full = False
        self.served = backend.served
        self.age = backend.age
        self._head: AnswerHead | None = None
        """The head of an answer that nobody was told of yet, and how HTTP/1.1 writes it."""
        self._wire = b""
        self._in_body = False
        self._ended = False
        """The backend has said everything."""
        self._said_all = False
        """The request was given whole."""
        self._interims = 0
        self._paused = False
        self._unread = 0
        self._key = b""
        self._unwanted = False

    # -- backend_side.BackendSide

    def ask(self, asker: Asker, exchange: Exchange, pieces: list[bytes]) -> int:
        """Head and pieces; without a body, in one frame."""
        self.exchange = asker
        backend = self._backend
        pool = self.pool
        authority, fields = backend.translations.request(exchange.fields)
        secure = pool.endpoint.tls or pool.parent.upstream.tls is not None
        head: Fields = [
            (b":method", exchange.method.encode()),
            (b":scheme", b"https" if secure else b"http"),
            (b":authority", authority),
            (b":path", exchange.target_bytes),
            *fields,
            (b"x-request-id", exchange.request_id),
        ]
        if exchange.tells:
            for line in exchange.told(asker).split(b"\r\n")[:-1]:
                name, _, value = line.partition(b": ")
                head.append((name.lower(), value))
        if exchange.wants_trailers:
            head.append((b"te", b"trailers"))
        if exchange.wants_upgrade:
            self._connect(exchange, head)
        ended = exchange.body_done and not pieces and not self._key and not self._trailers(exchange)
        if not backend.ask(self, head, ended):
            backend.call_soon(self)
            return 0
        self._said_all = ended
        return len(exchange.fields) + len(exchange.target_bytes) + (0 if ended else self.more(exchange, pieces))

    def _connect(self, exchange: Exchange, head: Fields) -> None:
        """Make `head` that of an extended CONNECT (RFC 8441), when the backend knows it."""
        if self._backend.connects:
            self._key = (exchange.block.header("sec-websocket-key") or "").encode()
            head[0] = (b":method", b"CONNECT")
            head.insert(1, (b":protocol", b"websocket"))
            head[:] = [field for field in head if field[0] != b"sec-websocket-key"]

    def more(self, exchange: Exchange, pieces: list[bytes]) -> int:
        """The pieces, and the end, with trailers or without."""
        if self._said_all or self._key:
            return 0
        size = 0
        send = self._backend.send_body
        last = len(pieces) - 1
        trailers = self._trailers(exchange)
        ends = exchange.body_done and not trailers
        for number, piece in enumerate(pieces):
            size += len(piece)
            send(self, piece, ends and number == last)
        if exchange.body_done:
            self._said_all = True
            if trailers:
                self._backend.send_trailers(self, trailers)
            elif not pieces:
                send(self, b"", True)
        return size

    def _trailers(self, exchange: Exchange) -> Trailers:
        if not exchange.request_trailers or self.pool.parent.upstream.accepts_trailers is False:
            return ()
        return onward(exchange)

    def finish(self, request_sent: bool, now: float) -> None:
        """The answer has ended."""
        self.exchange = None
        backend = self._backend
        backend.served += 1
        backend.idle_since = now
        self.resume()
        backend.free(self, self._ended and self._said_all)

    def pause(self) -> None:
        """What comes now fills the stream's window."""
        self._paused = True

    def resume(self) -> None:
        """Open the window again."""
        if self._paused:
            self._paused = False
            size, self._unread = self._unread, 0
            if size:
                self._backend.took(self.id, size)

    def close(self) -> None:
        """There is nothing to wait for."""
        self.abort()

    def abort(self) -> None:
        """Give the stream up; the connection lives on."""
        if not self.closed:
            self.closed = True
            self._backend.free(self, False)

    # -- what the backend says

    def answers(self, fields: tuple[Field, ...], ended: bool) -> None:
        """The head of the answer."""
        asker = self.exchange
        if asker is None:
            return
        self.started = True
        self._ended = ended
        try:
            head, wire = self._backend.translations.head(fields, ended and not asker.is_head)
        except AnswerError as error:
            self._bad(str(error))
            return
        if self._key:
            if head.status == 200 and not ended:
                self._upgraded(asker, head)
                return
            self._key = b""
        if ended and head.status == 200:
            code = grpc_code(fields)
            if code and asker.grpc_failed(self, head, code):
                return
        if ended or asker.is_head:
            asker.answered(self, head, b"", wire)
        else:
            self._head, self._wire = head, wire
            self._backend.hold(self)

    def begins(self) -> None:
        """The head came alone: the body follows."""
        head, self._head = self._head, None
        asker = self.exchange
        if head is not None and asker is not None:
            self._in_body = True
            asker.answer_begins(self, head)

    def came(self, data: bytes, end: bool) -> None:
        """A piece of the answer's body, or of what goes through the tunnel."""
        if data:
            if self._paused:
                self._unread += len(data)
            else:
                self._backend.took(self.id, len(data))
        tunnel = self.tunnel
        if tunnel is not None:
            if data:
                tunnel.from_upstream(data)
            if end:
                self._ended = True
                tunnel.upstream_ended()
            return
        if end:
            self._ended = True
            head, self._head = self._head, None
            if head is not None and self.exchange is not None:
                if head.length is None and not head.bodyless:
                    head = head.with_fields(b"content-length: %d\r\n" % len(data))
                    head.length = len(data)
                self.exchange.answered(self, head, data, self._wire + data)
                return
        self.begins()
        if data and self.exchange is not None:
            self.exchange.answer_body(data)
        if end and self.exchange is not None:
            self.exchange.answer_ends(self)

    def trailed(self, fields: list[Field]) -> None:
        """The answer has ended, with trailers."""
        self.begins()
        self._ended = True
        if self.exchange is not None:
            self.exchange.trailed(fields)
            self.exchange.answer_ends(self)

    def interim(self, fields: tuple[Field, ...]) -> None:
        """1xx."""
        self._interims += 1
        try:
            head, _ = self._backend.translations.head(fields, False)
        except AnswerError as error:
            self._bad(str(error))
            return
        if self._interims > MAX_INTERIM_ANSWERS or head.status == 101:
            self._bad("too many interim answers, or one that HTTP/2 does not know")
        elif self.exchange is not None:
            self.exchange.interim(head)

    def _bad(self, detail: str) -> None:
        asker, self.exchange = self.exchange, None
        self.abort()
        if asker is not None:
            asker.lost(self, detail, malformed=True)

    def gone(self, code: int) -> None:
        """The stream is closed, by whomever."""
        self.refused = code == ErrorCode.REFUSED_STREAM and not self.started
        self._ended = self._said_all = True
        self._backend.free(self, True)
        self.cut_off(code)

    def cut_off(self, code: int = ErrorCode.NO_ERROR) -> None:
        """Nothing more will come."""
        self.closed = True
        tunnel, asker = self.tunnel, self.exchange
        self.tunnel = None
        self.exchange = None
        if tunnel is not None:
            tunnel.upstream_lost()
        elif asker is not None:
            why = "the connection to the backend was closed before the answer ended"
            if code:
                why = f"the backend reset the request's stream with HTTP/2 error {code}"
            asker.lost(self, why, malformed=code == ErrorCode.PROTOCOL_ERROR)

    def _upgraded(self, asker: Asker, head: AnswerHead) -> None:
        """200 to an extended CONNECT: for everybody before this it is 101."""
        proof = b64encode(sha1(self._key + _WEBSOCKET).digest())  # noqa: S324 - the protocol's choice
        self.transport = cast(asyncio.Transport, StreamTransport(self._backend, self))
        line = StatusLine(101, b"Switching Protocols")
        asker.upgraded(
            self, AnswerHead(line, head.block + b"Sec-WebSocket-Accept: %b\r\n" % proof, None, AnswerMarks()), b""
        )

    # -- connection.Http2Stream

    def filled(self) -> None:
        """The backend takes no more for now."""
        if self.tunnel is not None:
            self.tunnel.upstream_full()
        elif self.exchange is not None:
            self.exchange.upstream_full()

    def emptied(self) -> None:
        """The backend takes more again."""
        if self.tunnel is not None:
            self.tunnel.upstream_ready()
        elif self.exchange is not None:
            self.exchange.upstream_ready()

    def drained(self) -> None:
        """Nothing waits any more."""
        if self._unwanted:
            self._backend.free(self, False)

    # -- tunnel.TunnelStream

    def leave(self) -> None:
        """End once everything is said."""
        self._unwanted = True

    def pause_body(self) -> None:
        """Hear no more for now."""
        self.pause()

    def resume_body(self) -> None:
        """Hear on."""
        self.resume()
