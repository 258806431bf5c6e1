"""One client connection: heads in, answers out, in order.

Rules:

- One request at a time; what a client pipelines waits in a bounded buffer, then reading stops.
- A head is judged only when everything before it is answered: a good request before a bad one gets its answer.
- After an error of the head or the body's framing the connection closes; so it does when an answer went out before the
  request's body was read to its end. What still comes in is then read and thrown away for a moment, since closing with
  unread bytes would reset the connection and take the answer with it (RFC 9112 §9.6).
- Bodies pass piece by piece; who cannot take more stops the other side's reading.
- The end of the client's stream counts as its leaving, as in nginx and Envoy, except in a tunnel.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.model import Limits

from .answer import AnswerHead
from .answer_writer import AnswerWriter
from .chunked import ChunkDecoder, ChunkError
from .core import HOUSEKEEPING_SECONDS, STALL_SECONDS, Core
from .forwarded import Peer, peer_of
from .http2.client import PREFACE, Http2Client
from .last_head import LastHead
from .problem import Refusal, problem_answer
from .request import open_exchange, unrouted
from .request_line import (
    FAST_LINE,
    METHODS,
    HeadError,
    check_unfinished,
    parse_line,
    refused_method,
    routing_host,
)
from .trailers import take_trailers

if TYPE_CHECKING:
    from .answering import Answering
    from .exchange import Exchange
    from .tunnel import Tunnel

__all__ = ["ClientConnection"]

PIPELINE_BYTES = 64 * 1024
LINGER_SECONDS = 2.0
IDLE_TICKS = 4
"""After so many sweeps without a request a connection gives up what it remembers."""
LINGER_BYTES = 1024 * 1024


class ClientConnection(AnswerWriter):
    """The `asyncio.Protocol` of one client connection; also the `exchange.Downstream` of its requests.

    Like its base it derives from nothing that is not compiled (see `compiled`): its attributes are then fields of a C
    structure, and a loop asks no more of a protocol than its methods.
    """

    __slots__ = (
        "_advancing", "_body_left", "_buffer", "_closing", "_decoder", "_last", "_limits", "_lingered",
        "_peer", "_served", "_ticks", "_tunnel",
        "writing_paused",
    )  # fmt: skip

    def __init__(self, core: Core, limits: Limits) -> None:
        self._core = core
        self._limits = limits
        self._peer: Peer
        self._exchange = None
        self._tunnel: Tunnel | None = None
        self._buffer = b""
        self._last = LastHead(limits)
        self._minor = 1
        self._body_left = 0
        self._decoder: ChunkDecoder | None = None
        self._chunked = False
        self._keep_alive = True
        self._closing = False
        self._advancing = False
        self._paused = False
        self._served = False
        self._ticks = 0
        self._lingered = 0
        self.writing_paused = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write
        self._peer = peer_of(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            self._speak_http2(b"")
            return
        self._core.connections.add(self)

    def _may_speak_http2(self) -> bool:
        """Whether a client may begin with it: over TLS it is agreed on before (RFC 9113 §3.2)."""
        return not self._served and self._peer.scheme == "http" and self._limits.max_concurrent_streams > 0

    def _speak_http2(self, data: bytes) -> None:
        """Hand the connection over; `data` came already."""
        self._core.connections.discard(self)
        self._closing = True
        other = Http2Client(self._core, self._limits, self._peer)
        self._transport.set_protocol(cast(asyncio.Protocol, other))
        other.connection_made(self._transport)
        other.begin(data)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            if self._tunnel is not None:
                self._tunnel.from_client(data)
            elif self._closing:
                self._throw_away(data)
            else:
                if self._buffer:
                    data = self._buffer + data
                self._advance(data)
        elif not exchange.body_done:
            self._body(exchange, data)
        elif self._tunnel is not None:
            self._tunnel.from_client(data)
        else:
            self._buffer += data
            if len(self._buffer) > PIPELINE_BYTES:
                self.pause_body()

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            return self._tunnel.client_ended()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._core.connections.discard(self)
        self._closing = True
        self._buffer = b""
        tunnel, exchange = self._tunnel, self._exchange
        self._tunnel = None
        self._exchange = None
        if tunnel is not None:
            tunnel.client_lost()
        elif exchange is not None:
            exchange.client_gone()

    def pause_writing(self) -> None:
        self.writing_paused = True
        if self._tunnel is not None:
            self._tunnel.client_full()
        elif self._exchange is not None:
            self._exchange.client_full()

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._tunnel is not None:
            self._tunnel.client_ready()
        elif self._exchange is not None:
            self._exchange.client_ready()
        elif self._buffer and not self._advancing:
            data, self._buffer = self._buffer, b""
            self._advance(data)
        if self._exchange is None and not self.writing_paused:
            self.resume_body()

    # -- requests

    def _advance(self, data: bytes) -> None:
        """Take up the requests in `data`, one after the other, as long as each is over at once."""
        self._advancing = True
        try:
            while data:
                if self.writing_paused:
                    # Answers pile up because the client does not read them: take no more requests.
                    self._buffer = data
                    self.pause_body()
                    return
                data = self._next(data)
        except HeadError as error:
            self._reject(error)
        finally:
            self._advancing = False

    def _next(self, data: bytes) -> bytes:
        """Begin the first request in `data`; what is left when it is over already, else nothing."""
        if data.startswith(b"\r\n"):  # RFC 9112 §2.2: one empty line before a request line is ignored
            data = data[2:]
            if not data:
                self._buffer = b""
                return b""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            check_unfinished(data, self._limits)
            if not self._buffer:
                self._ticks = 0
            self._buffer = data
            return b""
        limits = self._limits
        core = self._core
        line = FAST_LINE.match(data)
        authority = None
        start = 0
        if line is not None and line.end() <= limits.max_request_line_bytes:
            name, target, path_bytes, query_bytes, minor_byte = line.groups()
            method = METHODS.get(name)
            if method is None:
                raise refused_method(name)
            start = line.end()
            path = path_bytes.decode("ascii")
            query = query_bytes.decode("ascii") if query_bytes else ""
            minor = 1 if minor_byte == b"1" else 0
        else:
            if data.startswith(PREFACE) and self._may_speak_http2():
                self._speak_http2(data)
                return b""
            parsed, start = parse_line(data, limits)
            method, target, path, query = parsed.method, parsed.target, parsed.path, parsed.query
            minor, authority = parsed.minor, parsed.authority
        generation = core.generation
        if generation is None:
            raise HeadError(503, "not-ready", "no configuration is loaded yet")
        raw = data[start : end + 2]
        last = self._last
        if raw == last.raw and minor == last.minor and generation is last.generation and authority is None:
            block = last.block
        else:
            block = last.read(core.heads, raw, self._peer, generation, authority, minor)
        self._minor = minor
        marks = block.marks
        self._keep_alive = (not marks.close if minor else marks.keep_alive) and not core.draining
        rest = data[end + 4 :]
        body, done = b"", True
        if marks.chunked:
            self._decoder = ChunkDecoder()
            body, done, rest = self._decode(rest)
        elif marks.sized:
            length = block.length
            body = rest[:length]
            rest = rest[length:]
            self._body_left = length - len(body)
            done = not self._body_left
        exchange = open_exchange(
            core, generation, self, self._peer, block, last.fields, method, target, path, query, authority
        )
        # Said to be optional still: it may be over, and gone, when the next calls return.
        self._exchange = cast("Exchange | None", exchange)
        self._served = True
        self._buffer = rest
        if exchange.handler is not None:
            if done and marks.chunked:
                take_trailers(exchange, self._decoder)
            exchange.start(body, done)
        else:
            exchange.body_done = done
            host = marks.host if authority is None else routing_host(authority)
            exchange.refuse(unrouted(exchange, host, path))
        if self._exchange is exchange or self._closing or self._tunnel is not None:
            return b""
        rest, self._buffer = self._buffer, b""
        return rest

    def _decode(self, data: bytes) -> tuple[bytes, bool, bytes]:
        """Payload, whether that is all, and what follows the body."""
        decoder = self._decoder
        assert decoder is not None
        try:
            payload = decoder.feed(data)
        except ChunkError as error:
            raise HeadError(400, "malformed-framing", str(error)) from error
        return payload, decoder.done, decoder.rest

    def _body(self, exchange: Exchange, data: bytes) -> None:
        if self._decoder is not None and exchange.block.marks.chunked:
            try:
                payload, done, rest = self._decode(data)
            except HeadError as error:
                self._keep_alive = False
                exchange.body_broken(error.detail)
                return
            if done:
                take_trailers(exchange, self._decoder)
        else:
            left = self._body_left
            payload = data if len(data) <= left else data[:left]
            rest = data[left:]
            self._body_left = left - len(payload)
            done = not self._body_left
        if done:
            self._decoder = None
            if rest:
                self._buffer = rest
        if payload or done:
            exchange.body(payload, done)

    # -- the rest of exchange.Downstream

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """Switch over; what the client sent early goes through now."""
        self._tunnel = tunnel
        self._write(b"%bConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % head.wire)
        tunnel.join(self._transport)
        early, self._buffer = self._buffer, b""
        if early:
            tunnel.from_client(early)
        if self._paused:
            self.resume_body()

    def finished(self, exchange: Answering) -> None:
        """On to the next request, or close."""
        self._exchange = None
        if self._tunnel is not None:
            return
        if self._buffer and exchange.wants_upgrade:
            # Sent as the first bytes of a tunnel that never was: they are no request.
            self._keep_alive = False
        if not self._keep_alive:
            self._close(read_on=not exchange.body_done or bool(self._buffer))
            return
        self._ticks = 0
        if self._paused and not self.writing_paused:
            self.resume_body()
        if self._buffer and not self._advancing:
            data, self._buffer = self._buffer, b""
            self._advance(data)

    # -- the end

    def _reject(self, error: HeadError) -> None:
        """Answer a head that is refused, and close."""
        refusal = Refusal(error.status, error.problem, error.detail)
        if self._core.generation is not None:
            self._core.generation.count_refusal(error.problem)
        head, payload = problem_answer(refusal, self._core.next_request_id().decode("ascii"), None)
        self._keep_alive = False
        self._write(b"%b%bConnection: close\r\n\r\n%b" % (head.wire, self._core.date_line(), payload))
        self._close(read_on=True)

    def _close(self, *, read_on: bool) -> None:
        self._closing = True
        self._buffer = b""
        if read_on and self._transport.can_write_eof() and not self._transport.is_closing():
            self._ticks = 0
            self._transport.write_eof()
            self.resume_body()
        else:
            self._transport.close()

    def _throw_away(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > LINGER_BYTES:
            self._transport.abort()

    def drain(self) -> None:
        """Serve what is under way, then close; close now when nothing is."""
        self._keep_alive = False
        if self._tunnel is not None:
            return
        if self._exchange is None and not self._closing and not self._buffer:
            self._closing = True
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    @property
    def busy(self) -> bool:
        """A request is under way, or a tunnel open."""
        return self._exchange is not None or self._tunnel is not None

    def sweep(self) -> None:
        """Look after the time limits of what the client does."""
        self._ticks += 1
        exchange = self._exchange
        if exchange is not None:
            if self._tunnel is None:
                exchange.idle_ticks += 1
                if exchange.idle_ticks * HOUSEKEEPING_SECONDS > (exchange.idle_seconds or STALL_SECONDS):
                    exchange.stalled()
            return
        seconds = self._ticks * HOUSEKEEPING_SECONDS
        if self._closing:
            if seconds >= LINGER_SECONDS:
                self._transport.abort()
        elif self._buffer or not self._served:
            if seconds >= self._limits.header_timeout_seconds:
                if self._buffer:
                    self._reject(HeadError(408, "request-timeout", "the head of the request did not come in time"))
                else:
                    self._close(read_on=False)
        elif seconds >= self._limits.idle_timeout_seconds:
            self._close(read_on=False)
        elif self._ticks == IDLE_TICKS:
            self._last.forget()
