"""One connection to a backend over HTTP/2: its streams are attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ngh2 import (
    ConnectionClosed,
    DataReceived,
    ErrorCode,
    GoAwayReceived,
    InformationalResponseReceived,
    NGH2Error,
    PingReceived,
    ResponseReceived,
    Role,
    Setting,
    SettingsReceived,
    StreamClosed,
    TrailersReceived,
    WindowUpdated,
)

from ..answer import MAX_ANSWER_HEAD_BYTES
from ..trailers import permitted
from .connection import CONNECTION_WINDOW, POINTS, POINTS_A_SWEEP, WINDOW, Http2Connection
from .fields import Fields, Translations

if TYPE_CHECKING:
    from ..core import Core
    from .backend_stream import BackendStream
    from .pool import MultiplexedPool

__all__ = ["Http2Backend"]

_HEADER_COUNT = 200


class Http2Backend(Http2Connection):
    """See the module. ``going``: no request is given to it any more."""

    __slots__ = ("_allowed", "_held", "_pool", "_told", "age", "asked", "connects", "going", "idle_since", "served")

    def __init__(self, core: Core, pool: MultiplexedPool) -> None:
        super().__init__(core, Role.CLIENT, MAX_ANSWER_HEAD_BYTES, _HEADER_COUNT)
        self._pool = pool
        self._allowed = 1
        """So many at once; one until the backend has said how many it takes."""
        self._told = False
        self._held: list[BackendStream] = []
        """Whose answer has a head, and may have a body in the same batch."""
        self.age = pool.age
        self.asked = 0
        self.served = 0
        """Answers that came to their end."""
        self.idle_since = 0.0
        self.going = False
        self.connects = False
        """Extended CONNECT (RFC 8441) is known there."""

    def begin(self) -> None:
        """The transport is there."""
        self._h2.initiate_connection(
            {
                Setting.ENABLE_PUSH: 0,
                Setting.INITIAL_WINDOW_SIZE: WINDOW,
                Setting.MAX_HEADER_LIST_SIZE: MAX_ANSWER_HEAD_BYTES,
            }
        )
        self._h2.set_local_window_size(CONNECTION_WINDOW)
        self.flush()

    @property
    def translations(self) -> Translations:
        """What was translated before."""
        return self._core.translations

    @property
    def room(self) -> int:
        """How many more requests it may be given now."""
        return 0 if self.going or self.closed else self._allowed - len(self.streams)

    def ask(self, stream: BackendStream, fields: Fields, ended: bool) -> bool:
        """Begin a request; False when the connection takes none any more."""
        try:
            stream.id = self._h2.send_request(fields, end_stream=ended)
        except NGH2Error:
            self.going = True
            return False
        self.streams[stream.id] = stream
        self.asked += 1
        if self.asked >= self._pool.max_served:
            self.retire()
        self.touch()
        return True

    def call_soon(self, stream: BackendStream) -> None:
        """Tell `stream`, when this turn is over, that it came to nothing."""
        self._core.loop.call_soon(stream.gone, ErrorCode.REFUSED_STREAM)

    def free(self, stream: BackendStream, whole: bool) -> None:
        """Nobody works on `stream` any more; `whole`: everything was said on both sides."""
        if self.streams.pop(stream.id, None) is None:
            return
        self._sending.pop(stream.id, None)
        if not whole:
            self.reset(stream.id, ErrorCode.CANCEL)
        if not self.closed:
            self._pool.freed(self)

    def hold(self, stream: BackendStream) -> None:
        """Its answer begins, unless the rest of it is here already."""
        self._held.append(stream)

    def _handle(self, events: list[Any]) -> None:
        for event in events:
            kind = type(event)
            if kind is ResponseReceived:
                self._points = min(self._points + 2, POINTS)
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.answers(event.headers, event.end_stream)
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
            elif kind is TrailersReceived:
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.trailed(permitted(event.headers))
            elif kind is StreamClosed:
                self._sending.pop(event.stream_id, None)
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.gone(event.error_code)
            elif kind is InformationalResponseReceived:
                stream = self.streams.get(event.stream_id)
                if stream is not None:
                    stream.interim(event.headers)
            elif kind is SettingsReceived:
                self._points -= 10
                settings = event.settings
                most = settings.get(Setting.MAX_CONCURRENT_STREAMS)
                if most is not None or not self._told:
                    self._told = True
                    self._allowed = self._pool.streams if most is None else min(most, self._pool.streams)
                if settings.get(Setting.ENABLE_CONNECT_PROTOCOL) == 1:
                    self.connects = True
                self._pool.freed(self)
            elif kind is WindowUpdated or kind is PingReceived:
                self._points -= 1
            elif kind is GoAwayReceived:
                self.retire()
            elif kind is ConnectionClosed:
                self._ended()
                self._lost()
        if self._held:
            held, self._held = self._held, []
            for stream in held:
                stream.begins()

    # -- the end

    def retire(self) -> None:
        """Give it nothing more; close it when nothing is under way."""
        if not self.going:
            self.going = True
            self._pool.left(self)
        if not self.streams and not self._busy:
            self.goodbye()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.left(self)
        super().connection_lost(exc)
        self._pool.closed_one()

    def _lost(self) -> None:
        self.going = True
        self._pool.left(self)
        streams = list(self.streams.values())
        self.streams.clear()
        self._sending.clear()
        self._held.clear()
        for stream in streams:
            stream.cut_off()

    def sweep(self) -> None:
        """Look after the limits."""
        if self.closed:
            self.abort()
            return
        self._points = min(self._points + POINTS_A_SWEEP, POINTS)
        if self.going and not self.streams:
            self.goodbye()
