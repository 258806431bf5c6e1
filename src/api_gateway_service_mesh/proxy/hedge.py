"""Hedging: a second attempt beside a first that is slow. The first good answer wins, the other attempt is given up.

An exchange knows one attempt. A `Hedge` holds what belongs to the second (pool, connection, places and tickets) and
changes places with the first when it wins; from then on it passes everything on to the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import (
    Bulkhead,
    CircuitBreaker,
    EndpointCounters,
    Failure,
    HedgeCounters,
    may_hedge,
)

from .answer import AnswerHead
from .asker import Asker
from .problem import Refusal

if TYPE_CHECKING:
    from .backend_side import BackendSide
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["Hedge", "hedge_gates"]


def hedge_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate that refuses nothing: it sets the time for the second attempt."""
    config = handler.route.hedging
    if config is None:
        return []
    base = generation.slots.get(("hedge", config.iri))
    if base is None:
        return []
    counters = HedgeCounters(core.cells.view, base, core.worker)
    timers: dict[Exchange, asyncio.TimerHandle] = {}

    def launch(exchange: Exchange) -> None:
        timers.pop(exchange, None)
        ready = exchange.attempt == 1 and not (exchange.over or exchange.committed or exchange.retrying)
        if not ready or not may_hedge(
            config, exchange.method, replayable=exchange.replay is not None and exchange.body_done
        ):
            return
        target = exchange.target or handler.target
        if target is not None and not exchange.wants_upgrade:
            hedge = Hedge(exchange, counters)
            if hedge.take_place(target):
                hedge.start()

    def arm(exchange: Exchange) -> Refusal | None:
        timers[exchange] = core.loop.call_later(config.delay_seconds, launch, exchange)
        return None

    def over(exchange: Exchange, now: float) -> None:
        timer = timers.pop(exchange, None)
        if timer is not None:
            timer.cancel()
        if exchange.hedge is not None:
            exchange.hedge.give_up()

    handler.on_end = (*handler.on_end, over)
    return [arm]


class Hedge(Asker):
    """The second attempt of `exchange`. ``won`` once its answer goes to the client."""

    def __init__(self, exchange: Exchange, counters: HedgeCounters) -> None:
        self.exchange = exchange
        self.is_head = exchange.is_head
        self.won = False
        self._counters = counters
        self._pool: EndpointPool | None = None
        self._connection: BackendSide | None = None
        self._endpoint_counters: EndpointCounters | None = None
        self._started = 0.0
        self._head_at = 0.0
        self._breaker: CircuitBreaker | None = None
        self._ticket = 0.0
        self._entered: Bulkhead | None = None

    def take_place(self, target: Target) -> bool:
        """Find an endpoint, and everything that an attempt needs; False when the second attempt may not be."""
        exchange = self.exchange
        now = monotonic()
        if target.budget is not None and not target.budget.take(now):
            return False
        if target.bounded and target.bulkhead is not None:
            if not target.bulkhead.enter():
                return False
            self._entered = target.bulkhead
        pool = target.only
        if pool is None:
            self._swap()  # so that a breaker's ticket is this attempt's
            breakers = target.breakers
            index = target.pick(exchange) if breakers is None else breakers.pick(target, exchange)
            self._swap()
            if index < 0:
                if self._entered is not None:
                    self._entered.leave()
                return False
            exchange.tried |= 1 << index
            pool = target.pools[index]
        self._pool = pool
        if target.on_attempt:
            self._started = now
        return True

    def start(self) -> None:
        """Go."""
        exchange, pool = self.exchange, self._pool
        assert pool is not None
        exchange.hedge = self
        exchange.attempt += 1
        self._counters.sent()
        self._endpoint_counters = pool.counters
        pool.counters.start()
        connection = pool.take()
        if connection is not None:
            self.connected(connection)
        elif not pool.wait(self):
            self._failed(None)

    def give_up(self) -> None:
        """Another answer is there, or nobody waits for one any more."""
        if self.won or self.exchange.hedge is not self:
            return
        self.exchange.hedge = None
        if self._pool is not None:
            self._pool.leave(self)
        self._swap()
        self.exchange.drop_attempt()
        self._swap()

    def _swap(self) -> None:
        """This attempt's things become the exchange's, and the other way round."""
        exchange = self.exchange
        self._pool, exchange.pool = exchange.pool, self._pool
        self._connection, exchange.connection = exchange.connection, self._connection
        self._endpoint_counters, exchange.endpoint_counters = exchange.endpoint_counters, self._endpoint_counters
        self._started, exchange.attempt_started = exchange.attempt_started, self._started
        self._head_at, exchange.head_at = exchange.head_at, self._head_at
        self._breaker, exchange.attempt_breaker = exchange.attempt_breaker, self._breaker
        self._ticket, exchange.attempt_ticket = exchange.attempt_ticket, self._ticket
        self._entered, exchange.entered = exchange.entered, self._entered

    def _win(self) -> None:
        """The first attempt is given up, and this one is the exchange's from now on."""
        exchange = self.exchange
        exchange.give_up_first()
        self._swap()
        exchange.hedge = None
        self.won = True
        self._counters.won()

    def _failed(self, failure: Failure | None, status: int = 0) -> None:
        exchange = self.exchange
        exchange.hedge = None
        self._connection = None
        self._swap()
        exchange.attempt_failed(failure, status)
        self._swap()
        exchange.hedge_failed()

    # -- what the connection says

    @property
    def began(self) -> float:
        """When the second attempt began."""
        return self._started

    @property
    def wants_upgrade(self) -> bool:
        """Never: an upgrade is not hedged."""
        return False

    def connected(self, connection: BackendSide) -> None:
        """Send the request again, as it was kept."""
        exchange = self.exchange
        self._connection = connection
        connection.ask(self, exchange, exchange.replay or [])

    def connect_failed(self, detail: str) -> None:
        """No connection: the first attempt goes on alone."""
        if self.exchange.hedge is self:
            self._failed(Failure.CONNECT)

    def lost(self, connection: BackendSide, detail: str, malformed: bool = False) -> None:
        """The connection broke."""
        if self.won:
            self.exchange.lost(connection, detail, malformed)
        elif self.exchange.hedge is self:
            self._failed(Failure.RESET)

    def _wanted(self, connection: BackendSide, status: int, *, whole: bool) -> bool:
        """Whether this answer is the client's: it is good, or there will be no better one."""
        exchange = self.exchange
        if exchange.hedge is not self:
            connection.detach()
            connection.abort()
            return False
        if exchange.committed:
            self.give_up()
            return False
        if status < 500 or exchange.parked is not None:
            self._win()
            return True
        if whole:
            connection.finish(True, monotonic())
        else:
            connection.detach()
            connection.abort()
        self._failed(None, status)
        return False

    def answered(self, connection: BackendSide, head: AnswerHead, payload: bytes, raw: bytes) -> None:
        """The whole answer at once."""
        if self.won or self._wanted(connection, head.status, whole=True):
            self.exchange.answered(connection, head, payload, raw)

    def answer_begins(self, connection: BackendSide, head: AnswerHead) -> bool:
        """The head of an answer whose body follows."""
        if self.won or self._wanted(connection, head.status, whole=False):
            return self.exchange.answer_begins(connection, head)
        return False

    def answer_body(self, payload: bytes) -> None:
        """A piece of the body of the answer that won."""
        if self.won:
            self.exchange.answer_body(payload)

    def answer_ends(self, connection: BackendSide) -> None:
        """The end of the answer that won."""
        if self.won:
            self.exchange.answer_ends(connection)

    def trailed(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """Trailers of the answer that won."""
        if self.won:
            self.exchange.trailed(trailers)

    def interim(self, head: AnswerHead) -> None:
        """Those of a second attempt do not reach the client."""

    def upgraded(self, connection: BackendSide, head: AnswerHead, rest: bytes) -> None:
        """Not asked for, so the connection refuses it before it comes here."""
        connection.abort()

    def upstream_full(self) -> None:
        """The request was given whole: there is nothing to hold back."""

    def upstream_ready(self) -> None:
        """See `upstream_full`."""
