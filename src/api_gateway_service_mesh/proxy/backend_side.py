"""What an exchange asks of the backend's side: a connection of HTTP/1.1, or one stream of HTTP/2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asker import Asker
    from .exchange import Exchange
    from .pool import EndpointPool
    from .tunnel import Tunnel

__all__ = ["BackendSide"]


class BackendSide:
    """Carries one request at a time to a backend, and brings its answer to whom it works for (`asker.Asker`)."""

    __slots__ = (
        "age", "closed", "exchange", "idle_since", "pool", "refused", "served", "started", "transport", "tunnel",
    )  # fmt: skip

    transport: asyncio.Transport
    """What a tunnel speaks to, once there is one."""

    def __init__(self, pool: EndpointPool) -> None:
        self.pool = pool
        self.exchange: Asker | None = None
        """Whom it works for; None while it is idle."""
        self.tunnel: Tunnel | None = None
        self.closed = False
        self.served = 0
        """Answers read to their end."""
        self.idle_since = 0.0
        self.age = pool.age
        """The pool's when this was made."""
        self.started = False
        """Something of the current answer has arrived."""
        self.refused = False
        """The backend said that it did not look at the request: whatever its method, it may be sent again."""

    def ask(self, asker: Asker, exchange: Exchange, pieces: list[bytes]) -> int:
        """Work for `asker` from now on: send the head of `exchange`, and `pieces` of its body. How many bytes that
        were."""
        raise NotImplementedError

    def more(self, exchange: Exchange, pieces: list[bytes]) -> int:
        """Further pieces of the body, the last ones when ``exchange.body_done``. How many bytes that were."""
        raise NotImplementedError

    def finish(self, request_sent: bool, now: float) -> None:
        """The answer has ended: serve again, or end."""
        raise NotImplementedError

    def pause(self) -> None:
        """Read no more for now."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read on."""
        raise NotImplementedError

    def detach(self) -> None:
        """Whatever still happens here is no longer the exchange's matter."""
        self.exchange = None

    def close(self) -> None:
        """Close after what is written has left."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close now."""
        raise NotImplementedError
