"""TLS between a socket's transport and a protocol: one layer for clients and backends, in as few steps as there can be.

The loop's own TLS layer costs a request as much in its bookkeeping as in decryption when little is read at a time: it
asks twice for what is pending, brings a room of 256 KiB for each connection, goes through Python's wrappers, looks at
flow control after each step. Here a record that came whole takes three calls: into OpenSSL, out of it, on to the
protocol; an answer two, and the socket's write. All else (a record in parts, many at once, the handshake, the end) goes
the longer way.

`TlsSide` is a protocol for the socket and a transport for its protocol. What differs from the loop's layer:

- Who is refused during the handshake is told so: the alert is sent, and then nothing, and what still comes is thrown
  away for a moment, since closing with unread bytes would take the alert with it.
- The other side's certificate is taken apart when somebody asks for it.

What does not: after `close` a close_notify is sent and what still comes is thrown away, until the other side ends too
or `LINGER_SECONDS` are over, since closing with unread bytes would reset the connection and take an answer with it. An
end of the socket's stream is an end, with or without close_notify; what is no TLS, or was changed on its way, is not,
and the protocol's ``connection_lost`` is given the reason.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

__all__ = ["LINGER_SECONDS", "TlsSide"]

_log = logging.getLogger(__name__)

LINGER_SECONDS: Final = 1.0
UNSENT_SECONDS: Final = 30.0
"""So long a closed connection may take to send what was written before."""
RECORD_BYTES: Final = 16 * 1024
"""The most that a record holds (RFC 8446 §5.1)."""
HANDED_ON_BYTES: Final = 64 * 1024
"""What came in several records is handed on in pieces of about that size."""

_SHAKING, _OPEN, _CLOSING, _CLOSED, _REFUSED = 0, 1, 2, 3, 4


class TlsSide:
    """See the module. `ready` is done when the handshake is: with nothing, or with the reason why there is no
    connection (an `OSError`); the protocol sees ``connection_made`` just before.

    As protocol and as transport it answers to the methods that asyncio's have, and derives from neither (see
    `downstream.ClientConnection`).
    """

    __slots__ = (
        "_application", "_context", "_decrypt", "_encrypt", "_fault", "_feed", "_incoming", "_loop", "_outgoing",
        "_paused", "_pending", "_raw", "_received", "_secured", "_send", "_shake", "_state", "_take", "_timer", "ready",
    )  # fmt: skip

    def __init__(
        self,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        loop: asyncio.AbstractEventLoop,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        self._loop = loop
        self._context = context
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._secured = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        # `ssl.SSLObject` hands each call on to the object of the C module behind it, in a frame of its own.
        inner: Any = getattr(self._secured, "_sslobj", self._secured)
        self._decrypt: Callable[[int], bytes] = inner.read
        self._encrypt: Callable[[bytes | memoryview], int] = inner.write
        self._pending: Callable[[], int] = inner.pending
        self._shake: Callable[[], None] = self._secured.do_handshake
        self._feed: Callable[[bytes], int] = self._incoming.write
        self._take: Callable[[], bytes] = self._outgoing.read
        self._application = protocol
        self._received: Callable[[bytes], None] = protocol.data_received
        self._raw: asyncio.Transport
        self._send: Callable[[bytes], None]
        self._state = _SHAKING
        self._paused = False
        self._fault: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.ready: asyncio.Future[None] = loop.create_future()

    async def shaken(self) -> None:
        """Wait for the handshake; who gives up waiting gives up the connection.

        Raises:
            OSError: it failed (`ssl.SSLError` among them).
        """
        try:
            await self.ready
        except asyncio.CancelledError:
            self.abort()
            raise

    # -- the socket's protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._send = self._raw.write
        self._handshake()

    def data_received(self, data: bytes) -> None:
        self._feed(data)
        if self._state != _OPEN or self._paused:
            self._otherwise()
            return
        size = len(data)
        if size > RECORD_BYTES:
            size = RECORD_BYTES
        try:
            payload = self._decrypt(size)
        except ssl.SSLError as error:
            self._unread(error)
            return
        if len(payload) == size or self._incoming.pending or not payload:
            self._many(payload)
        else:
            self._received(payload)

    def eof_received(self) -> bool:
        if self._state == _SHAKING:
            self._failed(ConnectionResetError("the other side left during the TLS handshake"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        before, self._state = self._state, _CLOSED
        if before == _REFUSED:
            before = _SHAKING
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if before == _SHAKING:
            if not self.ready.done():
                self.ready.set_exception(
                    exc if isinstance(exc, OSError) else ConnectionResetError("the TLS handshake was cut off")
                )
            return
        self._application.connection_lost(self._fault or exc)

    def pause_writing(self) -> None:
        if self._state == _OPEN:
            self._application.pause_writing()

    def resume_writing(self) -> None:
        if self._state == _OPEN:
            self._application.resume_writing()

    # -- reading

    def _many(self, first: bytes) -> None:
        """Hand on `first` and whatever else is there: several records, or one that is longer than what came last."""
        pieces, size = [first], len(first)
        ended = not first
        while not ended:
            if size >= HANDED_ON_BYTES:
                self._received(b"".join(pieces))
                pieces, size = [], 0
                if self._state != _OPEN or self._paused:
                    return
            try:
                if not self._incoming.pending and not self._pending():
                    break
                piece = self._decrypt(RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._unread(error)
                return
            pieces.append(piece)
            size += len(piece)
            ended = not piece
        if size:
            self._received(b"".join(pieces))
        if self._state == _OPEN:
            self._flush()
            if ended:
                self._ended()

    def _unread(self, error: ssl.SSLError) -> None:
        """Nothing could be read: a record is not whole yet, the other side has ended, or what came is no TLS."""
        if isinstance(error, ssl.SSLWantReadError):
            self._flush()  # it may have asked for new keys (RFC 8446 §4.6.3)
        elif isinstance(error, (ssl.SSLZeroReturnError, ssl.SSLEOFError)):
            self._ended()
        else:
            self._broken(error)

    def _otherwise(self) -> None:
        """Something came during the handshake, after the end, or while nothing is to be read."""
        if self._state == _SHAKING:
            self._handshake()
        elif self._state == _CLOSING:
            self._throw_away()
        else:
            self._incoming.read()

    def _ended(self) -> None:
        """The other side said close_notify."""
        self._application.eof_received()
        self.close()

    def _broken(self, error: ssl.SSLError) -> None:
        """What came is no TLS: the alert that says so is sent, and nothing more."""
        _log.debug("TLS connection lost: %s", error)
        self._state = _CLOSING
        self._fault = error
        self._flush()
        self._close_socket()

    def _pump(self) -> None:
        """Reading was taken up again: what had been decrypted, or had come before, is first."""
        if self._state != _OPEN or self._paused or not (self._incoming.pending or self._pending()):
            return
        try:
            payload = self._decrypt(RECORD_BYTES)
        except ssl.SSLError as error:
            self._unread(error)
            return
        self._many(payload)

    # -- the handshake

    def _handshake(self) -> None:
        try:
            self._shake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()
            self._failed(error)
            return
        self._flush()
        self._state = _OPEN
        self._application.connection_made(cast(asyncio.Transport, self))
        if not self.ready.done():
            self.ready.set_result(None)
        self._loop.call_soon(self._pump)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._send(self._take())

    def _failed(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
        if not isinstance(error, ssl.SSLError) or self._raw.is_closing():
            self._close_socket()
            return
        self._state = _REFUSED
        if self._raw.can_write_eof():
            self._raw.write_eof()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._close_socket)

    # -- the protocol's transport

    def write(self, data: bytes) -> None:
        if self._state != _OPEN or not data:
            return
        try:
            sent = self._encrypt(data)
            if sent != len(data):
                rest = memoryview(data)
                while sent < len(rest):  # a record at a time
                    sent += self._encrypt(rest[sent:])
        except ssl.SSLError as error:
            self._broken(error)
            return
        self._send(self._take())

    def pause_reading(self) -> None:
        if not self._paused and self._state == _OPEN:
            self._paused = True
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._state == _OPEN:
                self._raw.resume_reading()
                if self._incoming.pending or self._pending():
                    self._loop.call_soon(self._pump)

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise NotImplementedError("TLS has no half-closed connections here")

    def is_closing(self) -> bool:
        return self._state != _OPEN

    def close(self) -> None:
        if self._state == _SHAKING:
            self._raw.abort()
        if self._state != _OPEN:
            return
        self._state = _CLOSING
        if self._paused:
            self._paused = False
            self._raw.resume_reading()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._close_socket)
        self._throw_away()

    def _throw_away(self) -> None:
        """Say close_notify, once; then read the other side's, past whatever it said before."""
        try:
            while self._decrypt(RECORD_BYTES):
                pass
        except ssl.SSLError:
            pass
        try:
            self._secured.unwrap()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._flush()
            self._close_socket()
        else:
            self._flush()
            self._close_socket()

    def _close_socket(self) -> None:
        """After what was written has left, for which there is an end too."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(UNSENT_SECONDS, self._raw.abort)
        self._raw.close()

    def abort(self) -> None:
        if self._state == _OPEN:
            self._state = _CLOSING
        self._raw.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._application = cast(asyncio.Protocol, protocol)
        self._received = self._application.data_received

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._application

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def is_reading(self) -> bool:
        return not self._paused

    def get_extra_info(self, name: str, default: object = None) -> object:
        if name == "ssl_object":
            return self._secured
        if name == "peercert":
            return self._secured.getpeercert()
        if name == "cipher":
            return self._secured.cipher()
        if name == "sslcontext":
            return self._context
        found: object = self._raw.get_extra_info(name, default)
        return found
