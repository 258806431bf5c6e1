"""One client connection of HTTP/2: its streams are requests, and go the way of all requests (`request`, `exchange`)."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from ngh2 import (
    ConnectionClosed,
    DataReceived,
    ErrorCode,
    NGH2Error,
    PingReceived,
    PriorityUpdateReceived,
    RequestReceived,
    Role,
    Setting,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from api_gateway_service_mesh.model import Limits

from ..core import HOUSEKEEPING_SECONDS, STALL_SECONDS
from ..last_head import LastHead
from ..problem import Refusal, problem_answer
from ..request import open_exchange, unrouted
from ..request_line import HeadError
from ..trailers import permitted
from .connection import CONNECTION_WINDOW, LINGER_SECONDS, POINTS, POINTS_A_SWEEP, WINDOW, Http2Connection
from .fields import Field, Fields, RequestHead, request_head
from .stream import ClientStream

if TYPE_CHECKING:
    from ..answer import AnswerHead
    from ..core import Core, Generation
    from ..forwarded import Peer
    from ..head import Block

__all__ = ["PREFACE", "Http2Client"]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""How a client begins that knows beforehand that HTTP/2 is spoken here (RFC 9113 §3.4), up to the first empty line."""

RESETS: Final = 200
"""So many requests may a client give up at once (CVE-2023-44487); each one that ends well allows another."""
RESETS_A_SWEEP: Final = 10
_REMEMBERED: Final = 16
_REMEMBERED_BYTES: Final = 2048


class _Known:
    """A request that was judged before, on this connection and for this table."""

    __slots__ = ("block", "ended", "fields", "head")

    def __init__(self, head: RequestHead, block: Block, fields: bytes, ended: bool) -> None:
        self.head = head
        self.block = block
        self.fields = fields
        self.ended = ended


class Http2Client(Http2Connection):
    """See the module."""

    __slots__ = ("_generation", "_goes", "_known", "_last", "_limits", "_peer", "_resets", "_served", "_ticks")

    def __init__(self, core: Core, limits: Limits, peer: Peer) -> None:
        super().__init__(core, Role.SERVER, limits.max_header_bytes, limits.max_header_count)
        self._limits = limits
        self._peer = peer
        self._last = LastHead(limits)
        self._known: dict[tuple[Field, ...], _Known] = {}
        self._generation: Generation | None = None
        self._resets = RESETS
        self._served = False
        self._ticks = 0
        self._goes = 0
        """1 once the client was told to ask no more here, 2 once what it asks is refused."""

    def begin(self, data: bytes) -> None:
        """The transport is there; `data` came already."""
        self._core.connections.add(self)
        self._h2.initiate_connection(
            {
                Setting.MAX_CONCURRENT_STREAMS: self._limits.max_concurrent_streams,
                Setting.INITIAL_WINDOW_SIZE: WINDOW,
                Setting.MAX_HEADER_LIST_SIZE: self._limits.max_header_bytes,
                Setting.ENABLE_CONNECT_PROTOCOL: 1,
                Setting.NO_RFC7540_PRIORITIES: 1,
            }
        )
        self._h2.set_local_window_size(CONNECTION_WINDOW)
        if data:
            self.data_received(data)
        else:
            self.flush()

    # -- what comes

    def _handle(self, events: list[Any]) -> None:
        gone: set[int] | None = None
        if len(events) > 1:
            gone = {event.stream_id for event in events if type(event) is StreamReset or type(event) is StreamClosed}
        skip = False
        for index, event in enumerate(events):
            if skip:
                skip = False
                continue
            kind = type(event)
            if kind is RequestReceived:
                self._points = min(self._points + 2, POINTS)
                if gone and event.stream_id in gone:
                    continue  # asked and given up in one breath
                after = None if event.end_stream or index + 1 == len(events) else events[index + 1]
                if type(after) is DataReceived and after.stream_id == event.stream_id:
                    skip = True
                    self._request(event.stream_id, event.headers, False, after.data, after.end_stream)
                else:
                    self._request(event.stream_id, event.headers, event.end_stream, b"", event.end_stream)
            elif kind is DataReceived:
                if event.data:
                    self._points = min(self._points + 1, POINTS)
                elif not event.end_stream:
                    self._points -= 1
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.came(event.data, event.end_stream)
                elif event.data:
                    self.took(event.stream_id, len(event.data))
            elif kind is StreamReset:
                self._resets -= 1
                if self._resets < 0:
                    self._points = -1
                    return
            elif kind is StreamClosed:
                self._sending.pop(event.stream_id, None)
                stream = self.streams.pop(event.stream_id, None)
                if stream is not None:
                    stream.gone()
            elif kind is TrailersReceived:
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.trailed(permitted(event.headers))
            elif kind is WindowUpdated or kind is PingReceived or kind is PriorityUpdateReceived:
                self._points -= 1
            elif kind is SettingsReceived:
                self._points -= 10
            elif kind is ConnectionClosed:
                self._ended()
                self._lost()
                return

    def _request(self, stream_id: int, fields: tuple[Field, ...], ended: bool, body: bytes, done: bool) -> None:
        stream = ClientStream(self, stream_id)
        core = self._core
        generation = core.generation
        self._served = True
        self._ticks = 0
        core.http2.requests += 1
        try:
            if generation is None:
                raise HeadError(503, "not-ready", "no configuration is loaded yet")
            if generation is not self._generation:
                self._generation = generation
                self._known.clear()
            known = self._known.get(fields)
            if known is None or known.ended is not ended or known.head.websocket:
                known = self._read(stream, fields, ended, generation)
        except HeadError as error:
            self._reject(stream, error, done)
            if body:
                self.took(stream_id, len(body))
            return
        head = known.head
        exchange = open_exchange(
            core, generation, stream, self._peer, known.block, known.fields, head.method, head.target, head.path,
            head.query, None,
        )  # fmt: skip
        stream.exchange = exchange
        stream.websocket = head.websocket
        self.streams[stream_id] = stream
        if exchange.handler is None:
            exchange.body_done = done
            exchange.refuse(unrouted(exchange, known.block.marks.host, head.path))
        elif head.websocket:
            exchange.start(b"", True)
            stream.came(body, done)
            return
        else:
            exchange.start(body, done)
        if body:
            stream.passed_on(len(body))

    def _read(self, stream: ClientStream, fields: tuple[Field, ...], ended: bool, generation: Generation) -> _Known:
        key = b64encode(os.urandom(16))
        head = request_head(fields, ended, self._limits, key)
        block = self._last.read(self._core.heads, head.lines, self._peer, generation, None, 2)
        known = _Known(head, block, self._last.fields, ended)
        if head.websocket:
            stream.key = key
        elif len(head.lines) + len(head.target) <= _REMEMBERED_BYTES:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[fields] = known
        return known

    # -- what goes

    def answer(self, stream: ClientStream, head: AnswerHead, payload: bytes) -> None:
        """The whole answer."""
        try:
            self._h2.send_response(stream.id, self._fields(head), end_stream=not payload)
            if payload:
                self._h2.send_data(stream.id, payload, end_stream=True)
        except NGH2Error:
            return  # the stream is gone, and about to be told
        self.touch()

    def head(self, stream: ClientStream, head: AnswerHead) -> None:
        """The head of an answer whose body follows, or of one before the last (1xx)."""
        try:
            if head.status < 200:
                self._h2.send_informational_response(stream.id, self._core.translations.answer(head))
            else:
                self._h2.send_response(stream.id, self._fields(head))
        except NGH2Error:
            return
        self.touch()

    def _fields(self, head: AnswerHead) -> Fields:
        fields = self._core.translations.answer(head)
        return fields if head.dated else [*fields, (b"date", self._core.date_line()[6:-2])]

    def over(self, stream: ClientStream, early: bool) -> None:
        """An answer was given whole; `early`: before the request was."""
        self.streams.pop(stream.id, None)
        if early:
            stream.unwanted = True
            self.watch(stream)  # until the answer has left
        else:
            self._resets = min(self._resets + 1, RESETS)

    def _reject(self, stream: ClientStream, error: HeadError, done: bool) -> None:
        """Answer a head that is refused; the connection lives on."""
        if self._core.generation is not None:
            self._core.generation.count_refusal(error.problem)
        refusal = Refusal(error.status, error.problem, error.detail)
        head, payload = problem_answer(refusal, self._core.next_request_id().decode("ascii"), None)
        self.answer(stream, head, payload)
        self.over(stream, not done)

    # -- the end

    def calm_down(self) -> None:
        """The client floods, or broke a bound."""
        if not self.closed:
            self._core.http2.broken_off += 1
        super().calm_down()

    def connection_lost(self, exc: Exception | None) -> None:
        self._core.connections.discard(self)
        super().connection_lost(exc)

    def _lost(self) -> None:
        streams = list(self.streams.values())
        self.streams.clear()
        self._sending.clear()
        for stream in streams:
            stream.gone()

    def drain(self) -> None:
        """Ask the client to ask no more here (RFC 9113 §6.8); close when nothing is under way."""
        if self.closed or self._goes:
            return
        if not self.streams and not self._served:
            self.goodbye()
            return
        self._goes = 1
        try:
            self._h2.send_shutdown_notice()
        except NGH2Error:
            return
        self.flush()

    @property
    def busy(self) -> bool:
        """A request is under way, or a tunnel open."""
        return bool(self.streams)

    def sweep(self) -> None:
        """Look after the limits."""
        if self.closed:
            self._still += 1
            if self._still * HOUSEKEEPING_SECONDS >= LINGER_SECONDS:
                self.abort()
            return
        tally = self._core.http2
        tally.connections += 1
        tally.streams += len(self.streams)
        self._points = min(self._points + POINTS_A_SWEEP, POINTS)
        self._resets = min(self._resets + RESETS_A_SWEEP, RESETS)
        self._ticks += 1
        self._still += 1
        waited = self._h2.queued_body_size()  # before what is given up now is told so
        for stream in list(self.streams.values()):
            stream.sweep()
        if self._goes == 1:
            self._goes = 2
            self._h2.send_goaway(ErrorCode.NO_ERROR)
            self.touch()
        seconds = self._ticks * HOUSEKEEPING_SECONDS
        if self.streams:
            self._ticks = 0
        elif self._h2.queued_body_size():
            if waited and self._still * HOUSEKEEPING_SECONDS > STALL_SECONDS:
                self.abort()
        elif self._goes or seconds >= self._patience():
            self.goodbye()

    def _patience(self) -> float:
        """For how many seconds a connection may be without a request."""
        return self._limits.idle_timeout_seconds if self._served else self._limits.header_timeout_seconds
