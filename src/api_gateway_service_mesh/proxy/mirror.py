"""Mirrors as a stage: copies of requests for a second service, whose answers are dropped.

A copy is an exchange of its own, with a client's side that swallows everything: it has its own connections, its own
counters and its own time, so the request it was made of neither waits for it nor sees it fail. It is made when the body
is there in whole: at once where there is none, else when the request is over; one with a body too large is not copied.
``X-Agw-Shadow`` names the mirror to the service that gets the copy; from clients it is not taken over.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Mirror, Timeout
from api_gateway_service_mesh.policies import EventCounters, RouteCounters

from .nobody import Nobody
from .problem import Refusal
from .target import Target, find_target

if TYPE_CHECKING:
    from .answering import Answering
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["MIRROR_SECONDS", "mirror_gates"]

MIRROR_SECONDS = 15.0
"""How long a copy may take in all."""

_MIRRORED, _FAILED, _SKIPPED = 0, 1, 2
_SHADOW = re.compile(rb"(?im)^x-agw-shadow:[^\r\n]*\r\n")


def mirror_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate for each mirror of the route whose service is there."""
    gates: list[Gate] = []
    # What the route finds out about its own services must not be told by copies: they are slow and fail on their own.
    plain = replace(handler.route, breaker=None, retry=None, hedging=None, concurrency=None)
    for mirror in handler.route.mirrors:
        target = find_target(mirror.upstream, plain, generation, core, ())
        if isinstance(target, Target):
            made = _Mirror(mirror, target, handler, generation, core)
            gates.append(made.ask)
            handler.on_end = (*handler.on_end, made.ended)
    return gates


class _Mirror:
    """One mirror of one route in one worker."""

    def __init__(
        self, mirror: Mirror, target: Target, handler: RouteHandler, generation: Generation, core: Core
    ) -> None:
        view, slots = core.cells.view, generation.slots
        self._core = core
        self._random = core.random
        self._share = mirror.percent / 100.0
        self._bytes = mirror.body_bytes
        self._free = mirror.concurrency
        self._mark = b"X-Agw-Shadow: %b\r\n" % mirror.iri.encode("ascii", "replace")
        self._events = EventCounters(view, slots["event", mirror.iri], core.worker)
        self._handler = type(handler)(handler.route, RouteCounters(view, slots["mirror", mirror.iri], core.worker))
        self._handler.retry = None
        self._handler.target = target
        self._handler.timed = True
        bound = handler.route.timeout or Timeout("")
        self._handler.total_seconds = min(bound.total_seconds or MIRROR_SECONDS, MIRROR_SECONDS)
        self._generation = generation.unlogged()
        self._waiting: dict[Exchange, bytes] = {}
        """Requests whose body is to come, with their fields as they are now: later gates add what copies do not get."""

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Copy the request, now or when its body is there; it goes on in any case."""
        if self._random() >= self._share or exchange.wants_upgrade:
            return None
        if exchange.body_done:
            self._core.loop.call_soon(self._copy, exchange, exchange.target_bytes, exchange.fields)
        elif exchange.block.length > self._bytes:
            self._events.count(_SKIPPED)
        else:
            self._waiting[exchange] = exchange.fields
        return None

    def ended(self, exchange: Exchange, _now: float) -> None:
        """A request is over: it may be one that is still to be copied."""
        fields = self._waiting.pop(exchange, None)
        if fields is not None:
            if exchange.body_done:
                self._copy(exchange, exchange.target_bytes, fields)
            else:
                self._events.count(_SKIPPED)

    def _copy(self, exchange: Exchange, target: bytes, fields: bytes) -> None:
        body = exchange.replay
        if body is None or sum(map(len, body)) > self._bytes or not self._free:
            self._events.count(_SKIPPED)
            return
        self._free -= 1
        self._events.count(_MIRRORED)
        shadow = type(exchange)(
            self._core,
            self._generation,
            _Copied(self),
            self._handler,
            exchange.method,
            target,
            exchange.block,
            self._mark + _SHADOW.sub(b"", fields),
            exchange.client,
            exchange.request_id,
        )
        shadow.caller = exchange.caller
        shadow.resend(body)

    def over(self, status: int) -> None:
        """A copy has come to its end."""
        self._free += 1
        if not status or status >= 500:
            self._events.count(_FAILED)


class _Copied(Nobody):
    """The client's side of a copy."""

    def __init__(self, mirror: _Mirror) -> None:
        self._mirror = mirror
        self._cut = False

    def cut(self) -> None:
        """The answer broke off."""
        self._cut = True

    def finished(self, exchange: Answering) -> None:
        """The copy is over."""
        self._mirror.over(0 if self._cut else exchange.status)
