"""Bounds on WebSockets as a stage: asked at the handshake, with every other policy of the route; afterwards a clock
looks whether one is idle or old. Nothing is done for each message, but that the last bytes of each side are kept, for
the code that it ends with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import WebSocketBounds
from api_gateway_service_mesh.policies.websocket import WebSocketPlaces

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .tunnel import Tunnel

__all__ = ["TunnelWatch", "websocket_gates"]

_LOOKS = 4
"""How often it is looked within the idle time."""


def websocket_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that bounds its WebSockets: 403 where it takes none, 503 where as many are open as may be."""
    bounds = handler.route.websocket
    if bounds is None:
        return []
    places = WebSocketPlaces(
        core.cells.view, generation.slots["websocket", bounds.iri], bounds.maximum, core.workers, core.worker, core.lock
    )
    forbidden = Refusal(403, "websocket-forbidden", "no WebSocket is opened here", b"", bounds.iri)
    said = "as many WebSockets are open as may be"
    full = Refusal(503, "too-many-websockets", said, b"Retry-After: 1\r\n", bounds.iri)

    def ask(exchange: Exchange) -> Refusal | None:
        if not exchange.wants_upgrade:
            return None
        if not bounds.allowed:
            places.refuse()
            return forbidden
        if not places.enter():
            return full
        exchange.websocket = TunnelWatch(bounds, places)
        return None

    def ended(exchange: Exchange, now: float) -> None:
        watch = exchange.websocket
        if watch is not None:
            exchange.websocket = None
            watch.over()

    handler.on_end = (*handler.on_end, ended)
    return [ask]


class TunnelWatch:
    """One WebSocket that has a place, from its handshake to its end."""

    __slots__ = ("_born", "_bounds", "_idle", "_loop", "_moved", "_places", "_timer", "_tunnel", "ended_by")

    def __init__(self, bounds: WebSocketBounds, places: WebSocketPlaces) -> None:
        self._bounds = bounds
        self._places = places
        self._tunnel: Tunnel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._born = 0.0
        self._idle = 0
        self._moved = 0
        self.ended_by = ""
        """Why the gateway closed it, if it did."""

    def opened(self, tunnel: Tunnel, loop: asyncio.AbstractEventLoop) -> None:
        """The handshake succeeded: from now on `tunnel` is looked after."""
        self._tunnel = tunnel
        self._loop = loop
        self._born = loop.time()
        tunnel.keep_tails()
        self._places.opened()
        self._look_again()

    def over(self) -> None:
        """It ended, or never opened."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._places.leave()
        tunnel = self._tunnel
        if tunnel is not None:
            self._tunnel = None
            self._places.closed(tunnel.close_code())

    def _look_again(self) -> None:
        loop, bounds = self._loop, self._bounds
        assert loop is not None
        wait: float | None = None
        if bounds.age_seconds is not None:
            wait = max(0.0, self._born + bounds.age_seconds - loop.time())
        if bounds.idle_seconds is not None:
            wait = min(bounds.idle_seconds / _LOOKS, bounds.idle_seconds if wait is None else wait)
        if wait is not None:
            self._timer = loop.call_later(wait, self._look)

    def _look(self) -> None:
        tunnel, loop, bounds = self._tunnel, self._loop, self._bounds
        self._timer = None
        if tunnel is None or loop is None:
            return
        if bounds.age_seconds is not None and loop.time() >= self._born + bounds.age_seconds:
            self.ended_by = f"the WebSocket was open for {bounds.age_seconds:g} s"
            self._places.timed_out(aged=True)
            tunnel.break_off()
            return
        moved = tunnel.moved
        self._idle = self._idle + 1 if moved == self._moved else 0
        self._moved = moved
        if bounds.idle_seconds is not None and self._idle >= _LOOKS:
            self.ended_by = f"the WebSocket was idle for {bounds.idle_seconds:g} s"
            self._places.timed_out(aged=False)
            tunnel.break_off()
            return
        self._look_again()
