"""Pools of connections to backends.

Rules:

- The bounds of ``agw:ConnectionPool`` hold for one upstream in one worker, over all its endpoints.
- The last connection used is the first used again (LIFO), so that idle ones grow old and are closed.
- Who finds no connection waits in line; connections are made for the line, not for one request, so the first connection
  that is free, new or returned, serves the first in line.
- The line is bounded; beyond it a request is refused at once (503), and so is one that has waited for too long.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, cast

import aiohappyeyeballs

from api_gateway_service_mesh.model import Endpoint, HttpProtocol, Upstream, UpstreamTls
from api_gateway_service_mesh.policies import Bulkhead, EndpointCounters
from api_gateway_service_mesh.security.peer import peer_certificate
from api_gateway_service_mesh.security.tls import server_name

from .answer import AnswerReader
from .client_tls import ClientTls
from .resolver import Address, Addresses
from .tls_side import TlsSide
from .upstream import UpstreamConnection

if TYPE_CHECKING:
    from .asker import Asker
    from .backend_side import BackendSide
    from .core import Core

__all__ = ["EndpointPool", "Opened", "UpstreamPool"]

HAPPY_EYEBALLS_SECONDS = 0.25
#: What is offered during the TLS handshake, by what is wanted.
_ALPN: Final[dict[HttpProtocol, tuple[str, ...]]] = {
    HttpProtocol.HTTP1: ("http/1.1",),
    HttpProtocol.HTTP2: ("h2",),
    HttpProtocol.AUTO: ("h2", "http/1.1"),
}


class Opened(Protocol):
    """A connection that was just made."""

    transport: asyncio.Transport

    def abort(self) -> None:
        """Close now."""


class UpstreamPool:
    """The connections of one upstream. Survives a reload as long as the upstream's TLS and pool settings do."""

    def __init__(self, upstream: Upstream, reader: AnswerReader, core: Core) -> None:
        self.upstream = upstream
        self.core = core
        self.bounds = upstream.pool
        self.tls = ClientTls(upstream.tls or UpstreamTls(), _ALPN[upstream.protocol])
        self.reader = reader
        self.open = 0
        self.idle = 0
        self.waiting = 0
        self.bulkhead: Bulkhead | None = None
        """Counts those who wait, for all to see."""
        self.endpoints: dict[Endpoint, EndpointPool] = {}

    def serves(self, upstream: Upstream) -> bool:
        """Whether this pool can go on under `upstream`'s new description."""
        before = self.upstream
        return upstream.pool == self.bounds and upstream.tls == before.tls and upstream.protocol == before.protocol

    def endpoint(self, endpoint: Endpoint, counters: EndpointCounters) -> EndpointPool:
        """The pool of one endpoint, made when missing."""
        pool = self.endpoints.get(endpoint)
        if pool is None:
            if self.upstream.protocol is HttpProtocol.HTTP1:
                pool = EndpointPool(self, endpoint, counters)
            else:
                from .http2.pool import MultiplexedPool

                pool = MultiplexedPool(self, endpoint, counters)
            self.endpoints[endpoint] = pool
        else:
            pool.counters = counters
        return pool

    def adopt(self, upstream: Upstream) -> None:
        """Go on under a new description: endpoints that are gone are retired."""
        self.upstream = upstream
        live = set(upstream.endpoints)
        for endpoint in [endpoint for endpoint in self.endpoints if endpoint not in live]:
            self.endpoints.pop(endpoint).retire()

    def retire(self) -> None:
        """Close what is idle; what is in use closes when it is done."""
        for pool in self.endpoints.values():
            pool.retire()
        self.endpoints.clear()

    def expire(self, now: float) -> None:
        """Close connections that have been idle for too long; look whether names still lead where they did."""
        before = now - self.bounds.idle_timeout_seconds
        for pool in self.endpoints.values():
            pool.expire(before)
            if pool.addresses is not None:
                pool.addresses.renew(now)

    def make_room(self) -> bool:
        """Close the oldest idle connection of any endpoint, if there is one."""
        oldest: UpstreamConnection | None = None
        for pool in self.endpoints.values():
            if pool.idle and (oldest is None or pool.idle[0].idle_since < oldest.idle_since):
                oldest = pool.idle[0]
        if oldest is None:
            return False
        oldest.pool.drop_idle(oldest)
        return True

    def waits(self, change: int) -> None:
        """One more waits (+1), or no longer (-1)."""
        self.waiting += change
        if self.bulkhead is not None:
            self.bulkhead.waits(change)

    def serve_next(self) -> None:
        """A place has become free: whoever waits may use it."""
        if not self.waiting:
            return
        for pool in self.endpoints.values():
            if len(pool.waiters) > pool.connecting * pool.per_connection:
                pool.connect()
                if self.open >= self.bounds.max_connections:
                    return


class EndpointPool:
    """The connections of one endpoint."""

    def __init__(self, parent: UpstreamPool, endpoint: Endpoint, counters: EndpointCounters) -> None:
        self.parent = parent
        self.endpoint = endpoint
        self.authority = endpoint.authority
        self.counters = counters
        self.idle: list[UpstreamConnection] = []
        self.waiters: dict[Asker, None] = {}
        self.connecting = 0
        self.per_connection = 1
        """So many requests at once a connection serves, as far as is known."""
        self.max_served = parent.bounds.max_requests_per_connection or sys.maxsize
        """So many answers a connection gives before it is closed."""
        self.age = 0
        """Connections of another age than this are not kept: the endpoint is gone, or its name leads elsewhere."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.addresses: Addresses | None = None
        try:
            ipaddress.ip_address(endpoint.host)
        except ValueError:
            self.addresses = Addresses(endpoint.host, endpoint.port, self._moved)

    def take(self) -> BackendSide | None:
        """An idle connection, the freshest, or None."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            self.parent.idle -= 1
            if not connection.closed and not connection.transport.is_closing():
                return connection
        return None

    def wait(self, exchange: Asker) -> bool:
        """Put `exchange` in line for a connection; False when the line is full. Answers with ``exchange.connected`` or
        ``exchange.connect_failed``."""
        parent = self.parent
        if parent.waiting >= parent.bounds.max_pending_requests:
            return False
        self.waiters[exchange] = None
        parent.waits(1)
        if self.connecting * self.per_connection < len(self.waiters):
            self.connect()
        return True

    def leave(self, exchange: Asker) -> None:
        """Take `exchange` out of the line."""
        if exchange in self.waiters:
            del self.waiters[exchange]
            self.parent.waits(-1)

    def connect(self) -> None:
        """Open one more connection, if the bounds allow."""
        parent = self.parent
        if parent.open >= parent.bounds.max_connections and not parent.make_room():
            return
        parent.open += 1
        self.connecting += 1
        task = asyncio.get_running_loop().create_task(self._connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        parent = self.parent
        seconds = parent.bounds.connect_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open()
        except TimeoutError:
            self._failed(f"{self.authority} did not accept a connection within {seconds:g} s")
        except ssl.SSLCertVerificationError as error:
            self._failed(f"the certificate of {self.authority} is not accepted: {error.verify_message}")
        except OSError as error:
            # asyncio words a refused connection in its own way; the errno is the same on every loop.
            known = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            self._failed(f"no connection to {self.authority}: {known or type(error).__name__}")
        except Exception as error:
            self._failed(f"no connection to {self.authority}: {error}")
        else:
            self.connecting -= 1
            self.counters.connections(1)
            if self._is_expected(connection):
                self.admit(connection)
                return
            connection.abort()
            exchange = self._next_waiter()
            if exchange is not None:
                exchange.connect_failed(f"the certificate of {self.authority} is of none that agw may speak to")

    def fresh(self) -> Opened:
        """The protocol of a connection to be made."""
        return UpstreamConnection(self, self.parent.reader)

    def admit(self, connection: Opened) -> None:
        """Take a new connection into service."""
        self.put(cast(UpstreamConnection, connection), monotonic())

    def _is_expected(self, connection: Opened) -> bool:
        """Whether the other side is who the configuration says; before a byte of a request is sent."""
        tls = self.parent.upstream.tls
        if tls is None or not tls.peers:
            return True
        secured: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
        certificate = peer_certificate(secured)
        return certificate is not None and certificate.is_among(tls.peers)

    async def _open(self) -> Opened:
        loop = asyncio.get_running_loop()
        endpoint, tls = self.endpoint, self.parent.upstream.tls
        context: ssl.SSLContext | None = None
        name: str | None = None
        if endpoint.tls or tls is not None:
            context = self.parent.tls.context()
            name = server_name(endpoint, tls)

        connection = self.fresh()
        protocol = cast(asyncio.Protocol, connection)
        side: TlsSide | None = None
        if context is not None:
            side = TlsSide(protocol, context, loop, server_hostname=name)
            protocol = cast(asyncio.Protocol, side)
        if self.addresses is None:
            await loop.create_connection(lambda: protocol, endpoint.host, endpoint.port)
        else:
            sock = await self._reach(self.addresses)
            try:
                await loop.create_connection(lambda: protocol, sock=sock)
            except BaseException:
                sock.close()
                raise
        if side is not None:
            await side.shaken()
        return connection

    async def _reach(self, addresses: Addresses) -> socket.socket:
        """A socket connected to one of `addresses` (RFC 8305); when all fail, the name is looked up again at once."""
        tried = await addresses.candidates()
        try:
            return await _first(tried)
        except OSError:
            await addresses.doubted()
            others = await addresses.candidates()
            if set(others) <= set(tried):
                raise
            return await _first(others)

    def _moved(self) -> None:
        """The name leads elsewhere: what is idle is closed now, what is in use when its answer has ended."""
        if self.age >= 0:
            self.age += 1
        self.flush()

    def _failed(self, detail: str) -> None:
        self.connecting -= 1
        self.parent.open -= 1
        exchange = self._next_waiter()
        if exchange is not None:
            exchange.connect_failed(detail)
        self.parent.serve_next()

    def _next_waiter(self) -> Asker | None:
        for exchange in self.waiters:
            del self.waiters[exchange]
            self.parent.waits(-1)
            return exchange
        return None

    def put(self, connection: UpstreamConnection, now: float) -> None:
        """A connection that may serve (again)."""
        if self.waiters:
            exchange = self._next_waiter()
            if exchange is not None:
                exchange.connected(connection)
                return
        parent = self.parent
        if connection.age != self.age or parent.idle >= parent.bounds.max_idle_connections:
            connection.close()
            return
        connection.idle_since = now
        self.idle.append(connection)
        parent.idle += 1
        if parent.waiting:
            parent.serve_next()

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is closed."""
        parent = self.parent
        parent.open -= 1
        self.counters.connections(-1)
        if connection in self.idle:
            self.idle.remove(connection)
            parent.idle -= 1
        if parent.waiting:
            parent.serve_next()

    def drop_idle(self, connection: UpstreamConnection) -> None:
        """Close one idle connection."""
        self.idle.remove(connection)
        self.parent.idle -= 1
        connection.close()

    def flush(self) -> None:
        """Close all idle connections: one of them was found dead, and they are of an age."""
        for connection in list(self.idle):
            self.drop_idle(connection)

    def expire(self, before: float) -> None:
        """Close what has been idle since `before`."""
        while self.idle and self.idle[0].idle_since < before:
            self.drop_idle(self.idle[0])

    def retire(self) -> None:
        """No longer in the table: keep nothing idle."""
        self.age = -1
        self.flush()


async def _first(addresses: list[Address]) -> socket.socket:
    return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1)
