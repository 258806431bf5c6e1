"""A tunnel after 101 (RFC 9110 §7.8): bytes both ways, with backpressure, and half-closing where the sides can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.policies.websocket import CLOSE_TAIL, close_code

if TYPE_CHECKING:
    from .answering import Answering
    from .backend_side import BackendSide

__all__ = ["Tunnel"]


class Tunnel:
    """Joins a client's transport and a backend's. The client's side joins when its 101 is out; until then what the
    backend says is kept, and no more of it is read."""

    __slots__ = (
        "_backend", "_bytes_in", "_bytes_out", "_early", "_ended", "_exchange", "_over", "_tail_in", "_tail_out",
        "_tails", "_written", "client",
    )  # fmt: skip

    def __init__(self, exchange: Answering, connection: BackendSide) -> None:
        self._exchange = exchange
        self._backend: asyncio.Transport = connection.transport
        self.client: asyncio.Transport | None = None
        self._written: Callable[[], None] | None = None
        self._early: list[bytes] = []
        self._bytes_in = 0
        self._bytes_out = 0
        self._ended = False
        """One side has said that it says no more."""
        self._over = False
        self._tails = False
        self._tail_in = b""
        self._tail_out = b""
        connection.tunnel = self

    def from_client(self, data: bytes) -> None:
        """The client says `data`."""
        self._bytes_in += len(data)
        if self._tails:
            self._tail_in = (self._tail_in + data)[-CLOSE_TAIL:] if len(data) < CLOSE_TAIL else data[-CLOSE_TAIL:]
        if not self._backend.is_closing():
            self._backend.write(data)

    def from_upstream(self, data: bytes) -> None:
        """The backend says `data`."""
        self._bytes_out += len(data)
        if self._tails:
            self._tail_out = (self._tail_out + data)[-CLOSE_TAIL:] if len(data) < CLOSE_TAIL else data[-CLOSE_TAIL:]
        if self.client is None:
            self._early.append(data)
            _pause(self._backend)
        elif not self.client.is_closing():
            self.client.write(data)
            if self._written is not None:
                self._written()

    def join(self, client: asyncio.Transport, written: Callable[[], None] | None = None) -> None:
        """The client's side is ready. `written` is called after each write to it, where the transport tells someone
        else than `client_full` that it is."""
        self.client = client
        self._written = written
        if self._early:
            client.write(b"".join(self._early))
            self._early.clear()
            _resume(self._backend)

    def keep_tails(self) -> None:
        """Keep the last bytes of each side, for `close_code`."""
        self._tails = True

    @property
    def moved(self) -> int:
        """How many bytes went through, both ways."""
        return self._bytes_in + self._bytes_out

    def close_code(self) -> int:
        """The code that a WebSocket ended with, where the last bytes were kept: the client's, or else the backend's."""
        code = close_code(self._tail_in)
        return code if code != 1006 else close_code(self._tail_out)

    def client_ended(self) -> bool:
        """The client says no more; True: it may still be spoken to."""
        return self._half_close(self._backend)

    def upstream_ended(self) -> bool:
        """The backend says no more; True: it may still be spoken to."""
        return self.client is not None and self._half_close(self.client)

    def _half_close(self, other: asyncio.Transport) -> bool:
        if self._ended or other.is_closing() or not other.can_write_eof():
            self.close()
            return False
        self._ended = True
        other.write_eof()
        return True

    def client_full(self) -> None:
        """The client takes no more for now."""
        _pause(self._backend)

    def client_ready(self) -> None:
        """The client takes more again."""
        _resume(self._backend)

    def upstream_full(self) -> None:
        """The backend takes no more for now."""
        _pause(self.client)

    def upstream_ready(self) -> None:
        """The backend takes more again."""
        _resume(self.client)

    def client_lost(self) -> None:
        """The client's connection is closed."""
        self._backend.close()
        self._end()

    def upstream_lost(self) -> None:
        """The backend's connection is closed."""
        if self.client is not None:
            self.client.close()
        self._end()

    def close(self) -> None:
        """Close both sides after what was said has left."""
        self._backend.close()
        if self.client is not None:
            self.client.close()

    def break_off(self) -> None:
        """Close both sides, whatever was said and not taken: nobody may be there to take it."""
        self._backend.abort()
        if self.client is not None:
            self.client.abort()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._exchange.tunnel_over(self._bytes_in, self._bytes_out)


def _pause(transport: asyncio.Transport | None) -> None:
    if transport is not None and not transport.is_closing():
        cast(asyncio.ReadTransport, transport).pause_reading()


def _resume(transport: asyncio.Transport | None) -> None:
    if transport is not None and not transport.is_closing():
        cast(asyncio.ReadTransport, transport).resume_reading()
