"""One port of the gateway: accepts connections, tells TLS from plain text, and hands each to a protocol.

The loop accepts here, not ``loop.create_server``, for three reasons: the first byte of a connection can be looked at
before anything is decided (PERMISSIVE serves plain text and TLS on one port; plain HTTP on a TLS port gets a sentence
instead of an alert); contexts can be replaced while connections stay; and running out of descriptors or reaching
``maxConnections`` pauses or refuses in the same way on asyncio and uvloop. A connection that has not yet sent a byte
costs a socket, not a TLS state.

Time to the first byte and for the handshake is each bounded by ``headerTimeout``; a protocol sees ``connection_made``
only after the handshake, with ``get_extra_info("ssl_object")`` and ``("peercert")`` filled in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.errors import AgwError, Origin
from api_gateway_service_mesh.model import Listener, MtlsMode

from .acme_tls import Done
from .arrivals import Arrivals, Arrived
from .greeting import Greeting
from .handshake import fault_of
from .tls_side import TlsSide
from .turned_away import FULL, PLAIN_ON_TLS, LastWord, turn_away

if TYPE_CHECKING:
    from .core import Core

__all__ = ["OpenListener", "bind", "open_listener"]

_log = logging.getLogger(__name__)

_BACKLOG = 4096
_ACCEPTS_PER_TURN = 128
_TLS_HANDSHAKE = b"\x16"  # RFC 8446 §5.1: the content type of a ClientHello's record; no HTTP method starts with it
_PAUSE_SECONDS = 0.5  # without free descriptors
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def bind(
    listener: Listener, *, host: str | None = None, port: int | None = None, reuse_port: bool = False
) -> tuple[socket.socket, ...]:
    """Listening sockets for `listener`, one for each address its host stands for; `host` and `port` override the model.

    Port 0 takes a free port, the same for every address. ``::`` takes IPv4 as well.

    Raises:
        AgwError: the port is in use or not permitted, or the host is unknown.
    """
    place, number = host if host is not None else listener.bind_address, listener.port if port is None else port
    try:
        found = socket.getaddrinfo(place or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as fault:
        raise _refused(
            f"The address {place!r} to listen on is unknown: {fault}.", "Give an address of this host."
        ) from fault
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            taken = sockets[0].getsockname()[1] if sockets else number
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if place == "::" else 1)
            sock.bind((address[0], taken, *address[2:]))
            sock.listen(_BACKLOG)
            sock.setblocking(False)
    except OSError as fault:
        for sock in sockets:
            sock.close()
        raise _bind_refused(fault, place, number) from fault
    return tuple(sockets)


async def open_listener(
    listener: Listener,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    host: str | None = None,
    port: int | None = None,
    reuse_port: bool = False,
    sockets: Sequence[socket.socket] = (),
    siblings: Sequence[socket.socket] = (),
    core: Core | None = None,
) -> OpenListener:
    """Starts to accept on `listener`'s port (or on `sockets`, already listening), each connection with a fresh
    protocol.

    Args:
        siblings: sockets of the same port that others accept from; see `OpenListener.cover`.
        core: where connections are counted with those of other workers, and refusals are logged.

    Raises:
        AgwError: the port cannot be had.
        ConfigError: its certificates do not serve (see `security.tls`); the port is then not opened.
    """
    greeting = Greeting(listener)
    taken = sockets or bind(listener, host=host, port=port, reuse_port=reuse_port)
    return OpenListener(listener, greeting, taken, protocol_factory, siblings, core)


class OpenListener:
    """A port that accepts. `handshake_failures` counts TLS handshakes that came to nothing, `refused` connections over
    ``maxConnections`` and over those of one address."""

    def __init__(
        self,
        listener: Listener,
        greeting: Greeting,
        sockets: Sequence[socket.socket],
        protocol_factory: Callable[[], asyncio.Protocol],
        siblings: Sequence[socket.socket] = (),
        core: Core | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._greeting = greeting
        self._protocol_factory = protocol_factory
        self._arrivals = Arrivals(listener, core)
        self._looking: dict[Arrived, asyncio.TimerHandle] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self._resume: asyncio.TimerHandle | None = None
        self.sockets: tuple[socket.socket, ...] = tuple(sockets)
        self._siblings = tuple(siblings)
        self._covered: tuple[socket.socket, ...] = ()
        for sock in (*self.sockets, *self._siblings):
            sock.setblocking(False)
        self.port: int = sockets[0].getsockname()[1]
        self._paused = False
        self.handshake_failures = 0
        self.refused = 0
        self._watch()

    @property
    def connections(self) -> int:
        """How many accepted connections are open, with those still in their handshake."""
        return len(self._arrivals.open)

    def replace(self, listener: Listener) -> None:
        """New certificates, mode and limits for connections from now on; those that are open keep what they have.

        Raises:
            ConfigError: the new certificates do not serve; nothing changed then.
        """
        self._greeting = Greeting(listener)
        self._listener = listener
        self._arrivals.adopt(listener)

    def cover(self, siblings: Iterable[socket.socket]) -> None:
        """From now on accepts from these of the siblings' sockets too, whose owners are away, and from no others."""
        self._unwatch()
        self._covered = tuple(siblings)
        if self._resume is None:
            self._watch()

    def close(self) -> None:
        """Stops accepting; open connections live on. What the kernel accepted already is taken first, so no client that
        saw its connection open is reset. The same of siblings' sockets: whoever holds one last, its queue is empty."""
        if not self.sockets:
            return
        self._unwatch()
        sockets = (*self.sockets, *self._siblings)
        for sock in sockets:
            while self._accept(sock):
                pass
        for sock in sockets:
            sock.close()
        self.sockets = self._siblings = self._covered = ()
        if self._resume is not None:
            self._resume.cancel()

    async def wait_closed(self) -> None:
        """After `close`: waits until no connection is before its protocol (bounded by twice ``headerTimeout``)."""
        while self._looking or self._starting:
            if self._starting:
                await asyncio.wait(tuple(self._starting))
            else:
                await asyncio.sleep(0.01)

    def abort(self) -> None:
        """`close`, and drops connections that have no protocol yet."""
        self.close()
        for sock in tuple(self._looking):
            self._drop(sock)
        for task in tuple(self._starting):
            task.cancel()

    def pause(self) -> None:
        """Accepts nobody for now; who comes waits in the kernel's queue, which has an end too."""
        self._paused = True
        self._unwatch()

    def resume(self) -> None:
        """Accepts again."""
        if self._paused:
            self._paused = False
            self._watch()

    def _watch(self) -> None:
        self._resume = None
        if self._paused:
            return
        for sock in (*self.sockets, *self._covered):
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _unwatch(self) -> None:
        for sock in (*self.sockets, *self._covered):
            self._loop.remove_reader(sock.fileno())

    def _accept(self, listening: socket.socket) -> bool:
        """Take what waits, as much as one turn bears. Whether there may be more."""
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                taken, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionAbortedError:
                continue
            except OSError as fault:
                if fault.errno not in _EXHAUSTED:
                    _log.error("Port %d cannot accept: %s.", self.port, fault.strerror)
                if self._resume is None:  # a level-triggered reader would spin until a descriptor is free
                    self._unwatch()
                    self._resume = self._loop.call_later(_PAUSE_SECONDS, self._watch)
                return False
            sock = Arrived.of(taken, str(address[0]) if address else "")
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # the peer may be gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._admit(sock)
        return True

    def _admit(self, sock: Arrived) -> None:
        limit = self._listener.limits.max_connections
        plain = not self._greeting
        refused = self._arrivals.admit(sock, limit, plain)
        if refused is not None:
            self.refused += 1
            if refused == FULL[2] and plain and len(self._starting) < limit + 1024:
                self._start(sock, lambda: LastWord(*FULL), None)
            else:
                turn_away(sock, plain and refused != FULL[2])
        elif plain:
            self._start(sock, self._protocol_factory, None)
        else:
            self._look(sock)

    def _look(self, sock: Arrived) -> None:
        timeout = self._listener.limits.header_timeout_seconds
        self._looking[sock] = self._loop.call_later(timeout, self._drop, sock)
        self._loop.add_reader(sock.fileno(), self._looked, sock)

    def _looked(self, sock: Arrived) -> None:
        try:
            first = sock.recv(self._greeting.peek_bytes, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._drop(sock)
            return
        secured = first[:1] == _TLS_HANDSHAKE and bool(self._greeting)  # which may have been replaced meanwhile
        if secured and self._greeting.waits(sock, first):
            return
        self._loop.remove_reader(sock.fileno())
        self._looking.pop(sock).cancel()
        if secured:
            answer = self._greeting.answer(first)
            self._start(sock, Done if answer.question else self._protocol_factory, answer.context)
        elif not self._greeting or self._listener.mtls_mode is MtlsMode.PERMISSIVE:
            self._start(sock, self._protocol_factory, None)
        else:
            self._start(sock, lambda: LastWord(*PLAIN_ON_TLS), None)

    def _drop(self, sock: Arrived) -> None:
        timer = self._looking.pop(sock, None)
        if timer is not None:
            timer.cancel()
        self._loop.remove_reader(sock.fileno())
        sock.close()

    def _start(
        self, sock: socket.socket, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        task = self._loop.create_task(self._connect(sock, factory, context))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _connect(
        self, sock: socket.socket, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        try:
            protocol = factory()
        except Exception:
            sock.close()
            raise
        # From here the transport owns the socket: it closes it, whatever fails.
        if context is None:
            with contextlib.suppress(OSError, EOFError):
                await self._loop.connect_accepted_socket(lambda: protocol, sock)
            return
        try:
            side = TlsSide(protocol, context, self._loop, server_side=True)
            await self._loop.connect_accepted_socket(lambda: cast(asyncio.Protocol, side), sock)
            async with asyncio.timeout(self._listener.limits.header_timeout_seconds):
                await side.shaken()
        except (OSError, EOFError) as fault:  # ssl.SSLError and timeouts are OSErrors
            self.handshake_failures += 1
            self._arrivals.failed(fault_of(fault))
            _log.debug("TLS handshake on port %d failed: %s", self.port, fault)


def _bind_refused(fault: OSError, host: str, port: int) -> AgwError:
    if fault.errno == errno.EADDRINUSE:
        return _refused(
            f"Port {port} on {host} is in use by another process.", "Choose another port, or stop the other one."
        )
    if fault.errno in (errno.EACCES, errno.EPERM):
        return _refused(
            f"Port {port} on {host} is not permitted to this user.",
            "Take a port from 1024 on, or grant CAP_NET_BIND_SERVICE.",
        )
    if fault.errno == errno.EADDRNOTAVAIL:
        return _refused(f"{host} is not an address of this host.", "Use 0.0.0.0 or :: for every address.")
    return _refused(f"Port {port} on {host} cannot be opened: {os.strerror(fault.errno or 0)}.", None)


def _refused(message: str, remedy: str | None) -> AgwError:
    error = AgwError(message, remedy=remedy)
    error.origin = Origin.CONFIG
    error.problem = "cannot-listen"
    return error
