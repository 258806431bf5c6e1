"""Connections of HTTP/2 to one endpoint, each for many requests at once.

The first connection with room is taken, so that few are open; another is opened when all are full. Who finds no room
waits in line, as for a connection of HTTP/1.1. With ``auto`` the backend chooses the version, once a connection, and
what chose HTTP/1.1 serves as it does elsewhere.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.model import Endpoint, HttpProtocol
from api_gateway_service_mesh.policies import EndpointCounters

from ..backend_side import BackendSide
from ..pool import EndpointPool, Opened
from ..upstream import UpstreamConnection
from .backend import Http2Backend
from .backend_stream import BackendStream

if TYPE_CHECKING:
    from ..asker import Asker
    from ..pool import UpstreamPool

__all__ = ["MultiplexedPool"]


class MultiplexedPool(EndpointPool):
    """See the module. ``streams``: so many requests at once a connection is given at most."""

    def __init__(self, parent: UpstreamPool, endpoint: Endpoint, counters: EndpointCounters) -> None:
        super().__init__(parent, endpoint, counters)
        self.streams = parent.bounds.max_concurrent_streams
        self.connections: list[Http2Backend] = []
        self.insists = parent.upstream.protocol is HttpProtocol.HTTP2
        if self.insists:
            self.per_connection = self.streams

    def take(self) -> BackendSide | None:
        """Room on a connection, or None."""
        for backend in self.connections:
            if backend.room > 0:
                return BackendStream(self, backend)
        return super().take() if self.idle else None

    def fresh(self) -> Opened:
        """Chooses the version once the handshake is over."""
        return _Chooser(self)

    def admit(self, connection: Opened) -> None:
        """Serve those who wait with a new connection."""
        chooser = cast(_Chooser, connection)
        if chooser.backend is not None:
            backend = chooser.backend
            backend.idle_since = monotonic()
            if backend.closed:
                exchange = self._next_waiter()
                if exchange is not None:
                    exchange.connect_failed(f"{self.authority} closed the connection at once")
                return
            self.per_connection = self.streams
            self.connections.append(backend)
            self.freed(backend)
        elif self.insists:
            chooser.abort()
            exchange = self._next_waiter()
            if exchange is not None:
                exchange.connect_failed(f"{self.authority} does not speak HTTP/2: it did not choose h2 (ALPN)")
        elif chooser.plain is not None:
            self.per_connection = 1
            self.put(chooser.plain, monotonic())

    def freed(self, backend: Http2Backend) -> None:
        """`backend` may have room."""
        while self.waiters and backend.room > 0:
            exchange: Asker | None = self._next_waiter()
            if exchange is None:
                break
            exchange.connected(BackendStream(self, backend))
        if backend.streams:
            return
        if backend.going or backend.age != self.age:
            backend.retire()
        elif self.parent.waiting:
            self.parent.serve_next()

    def left(self, backend: Http2Backend) -> None:
        """`backend` takes no more requests."""
        if backend in self.connections:
            self.connections.remove(backend)

    def closed_one(self) -> None:
        """A connection of HTTP/2 is closed."""
        self.parent.open -= 1
        self.counters.connections(-1)
        if self.parent.waiting:
            self.parent.serve_next()

    def flush(self) -> None:
        """Close what is idle; what another age made is used no more."""
        super().flush()
        for backend in list(self.connections):
            if not backend.streams or backend.age != self.age:
                backend.retire()

    def expire(self, before: float) -> None:
        """Close what has been idle since `before`."""
        super().expire(before)
        for backend in list(self.connections):
            backend.sweep()
            if not backend.streams and backend.idle_since < before:
                backend.retire()


class _Chooser:
    """The protocol of a connection that is not decided yet: what the handshake says decides."""

    def __init__(self, pool: MultiplexedPool) -> None:
        self._pool = pool
        self.transport: asyncio.Transport
        self.backend: Http2Backend | None = None
        self.plain: UpstreamConnection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pool = self._pool
        parent = pool.parent
        self.transport = connection = cast(asyncio.Transport, transport)
        secured = transport.get_extra_info("ssl_object")
        chosen = secured.selected_alpn_protocol() == "h2" if secured is not None else pool.insists
        if chosen:
            self.backend = Http2Backend(parent.core, pool)
            protocol = cast(asyncio.Protocol, self.backend)
        else:
            self.plain = UpstreamConnection(pool, parent.reader)
            protocol = cast(asyncio.Protocol, self.plain)
        connection.set_protocol(protocol)
        if self.backend is not None:
            self.backend.connection_made(transport)
            self.backend.begin()
        elif self.plain is not None:
            self.plain.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Never: the protocol is another by then."""

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Never, for the same reason."""

    def pause_writing(self) -> None:
        """Never."""

    def resume_writing(self) -> None:
        """Never."""

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()
