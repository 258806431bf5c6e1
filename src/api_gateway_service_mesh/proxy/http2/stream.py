"""One request of a client over HTTP/2: the `client_side.Downstream` of its exchange."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final, cast

from ngh2 import ErrorCode

from ..answer import AnswerHead, AnswerMarks, StatusLine
from ..core import HOUSEKEEPING_SECONDS, STALL_SECONDS
from .tunnel import StreamTransport

if TYPE_CHECKING:
    from ..answering import Answering
    from ..exchange import Exchange
    from ..tunnel import Tunnel
    from .client import Http2Client
    from .fields import Field

__all__ = ["ClientStream"]

_WEBSOCKET: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class ClientStream:
    """See the module."""

    __slots__ = (
        "_connection", "_early", "_paused", "_tunnel", "_unread", "exchange", "full", "id", "key", "unwanted",
        "websocket", "writing_paused",
    )  # fmt: skip

    def __init__(self, connection: Http2Client, stream_id: int) -> None:
        self.id = stream_id
        self.full = False
        self._connection = connection
        self.exchange: Exchange | None = None
        self.websocket = False
        self.key = b""
        """What the backend has to prove a WebSocket with."""
        self.unwanted = False
        """The answer is complete, and the rest of the request is not wanted (RFC 9113 §8.1)."""
        self.writing_paused = False
        self._paused = False
        self._unread = 0
        """Bytes that were passed on while nobody should read more: the client may not send as many again yet."""
        self._early: list[bytes] = []
        self._tunnel: Tunnel | None = None

    # -- what the client does

    def came(self, data: bytes, end: bool) -> None:
        """A piece of the request's body, or of what goes through the tunnel."""
        exchange = self.exchange
        if self._tunnel is not None:
            if data:
                self._tunnel.from_client(data)
            if end and not self._tunnel.client_ended():
                return
        elif self.websocket:
            if data:
                self._early.append(data)
                self._unread += len(data)
                return
        elif exchange is not None:
            exchange.body(data, end)
        if data:
            self.passed_on(len(data))

    def trailed(self, fields: list[Field]) -> None:
        """The request's body has ended, with trailers."""
        exchange = self.exchange
        if exchange is not None and self._tunnel is None:
            exchange.request_trailers = fields
            exchange.body(b"", True)

    def passed_on(self, size: int) -> None:
        """So much of the body has left for the backend, or waits in bounds."""
        if self._paused:
            self._unread += size
        else:
            self._connection.took(self.id, size)

    def gone(self) -> None:
        """The stream is closed, by whomever."""
        self._connection.streams.pop(self.id, None)
        tunnel, exchange = self._tunnel, self.exchange
        self._tunnel = None
        self.exchange = None
        if tunnel is not None:
            tunnel.client_lost()
        elif exchange is not None:
            exchange.client_gone()

    def filled(self) -> None:
        """The client takes no more for now."""
        self.writing_paused = True
        if self._tunnel is not None:
            self._tunnel.client_full()
        elif self.exchange is not None:
            self.exchange.client_full()

    def emptied(self) -> None:
        """The client takes more again."""
        self.writing_paused = False
        if self._tunnel is not None:
            self._tunnel.client_ready()
        elif self.exchange is not None:
            self.exchange.client_ready()

    def drained(self) -> None:
        """What was to be said has left."""
        if self.unwanted:
            self._connection.reset(self.id, ErrorCode.NO_ERROR)

    def sweep(self) -> None:
        """Give up what has not moved for too long."""
        exchange = self.exchange
        if exchange is not None and self._tunnel is None:
            exchange.idle_ticks += 1
            if exchange.idle_ticks * HOUSEKEEPING_SECONDS > (exchange.idle_seconds or STALL_SECONDS):
                exchange.stalled()

    # -- client_side.Downstream

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        self._connection.answer(self, head, payload)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        self._connection.head(self, head)

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        self._connection.send_body(self, payload, False)

    def end(self) -> None:
        """The body has ended."""
        exchange = self.exchange
        if exchange is not None and exchange.answer_trailers:
            self._connection.send_trailers(self, exchange.answer_trailers)
        else:
            self._connection.send_body(self, b"", True)

    def cut(self) -> None:
        """End without an end."""
        self.exchange = None
        self._connection.streams.pop(self.id, None)
        self._connection.reset(self.id, ErrorCode.INTERNAL_ERROR)

    def reset(self) -> None:
        """No answer: the stream alone ends, the connection has others."""
        self.cut()

    def interim(self, head: AnswerHead) -> None:
        """1xx."""
        self._connection.head(self, head)

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """The backend switched: for the client that is 200 (RFC 8441 §5)."""
        proof = b64encode(sha1(self.key + _WEBSOCKET).digest())  # noqa: S324 - the protocol's choice
        lines = head.block.split(b"\r\n")
        told = [
            line.partition(b":")[2].strip(b" \t") for line in lines if line[:21].lower() == b"sec-websocket-accept:"
        ]
        kept = [line for line in lines if line and line[:21].lower() != b"sec-websocket-accept:"]
        self._tunnel = tunnel
        if told != [proof]:
            tunnel.close()
            self._connection.reset(self.id, ErrorCode.CONNECT_ERROR)
            return
        block = b"".join([line + b"\r\n" for line in kept])
        self._connection.head(self, AnswerHead(StatusLine(200, b"OK"), block, None, AnswerMarks()))
        tunnel.join(cast(asyncio.Transport, StreamTransport(self._connection, self)))
        early, self._early = self._early, []
        for data in early:
            tunnel.from_client(data)
        if not self._paused:
            self._return_unread()

    def leave(self) -> None:
        """End once everything is said."""
        self.unwanted = True

    def pause_body(self) -> None:
        """Read no more for now."""
        self._paused = True

    def resume_body(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._return_unread()

    def _return_unread(self) -> None:
        size, self._unread = self._unread, 0
        if size:
            self._connection.took(self.id, size)

    def finished(self, exchange: Answering) -> None:
        """The answer was given whole, or the tunnel is closed."""
        self.exchange = None
        self._tunnel = None
        self._paused = False
        self._return_unread()
        self._connection.over(self, self.websocket or not exchange.body_done)
