"""Faults made on purpose, as a stage: a request is held back, loses its connection, or is answered with an error,
before anything is chosen for it; or its answer breaks off. What was struck says so: in its log line (``reason``), and
with the fault's IRI where it got no answer of a backend's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from api_gateway_service_mesh.model import Fault
from api_gateway_service_mesh.policies import (
    FAULT_ABORTED,
    FAULT_DELAYED,
    FAULT_RESET,
    FAULT_TRUNCATED,
    EventCounters,
    FaultPolicy,
)

from .answer import AnswerHead
from .client_front import ClientFront
from .condition import condition_test
from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .answering import Answering
    from .client_side import Downstream
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["fault_gates"]


def fault_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate for each fault of the route."""
    return [_gate(fault, generation, core) for fault in handler.route.faults]


def _gate(fault: Fault, generation: Generation, core: Core) -> Gate:
    policy = FaultPolicy(fault)
    counters = EventCounters(core.cells.view, generation.slots["event", fault.iri], core.worker)
    holds = condition_test(fault.triggered_by) if fault.triggered_by else None
    random, call_later, seconds = core.random, core.loop.call_later, fault.delay_seconds or 0.0
    held_back = f"fault injection {fault.iri} held this back for {seconds:g} s"
    refusal = Refusal(
        fault.abort_status or 503,
        "fault-injected",
        "this fault was made on purpose",
        refused_by=fault.iri,
        reason=f"fault injection {fault.iri}",
    )

    def strike(exchange: Exchange) -> Refusal | None:
        if exchange.waits_at is not strike:
            if holds is not None and not holds(exchange):
                return None
            if policy.delays(random()):
                counters.count(FAULT_DELAYED)
                exchange.waits_at = strike
                exchange.reason = held_back
                call_later(seconds, exchange.proceed)
                return WAIT
        if policy.resets(random()):
            counters.count(FAULT_RESET)
            exchange.break_off(fault.iri, f"fault injection {fault.iri} reset the connection")
            return WAIT  # for nothing: it is over
        if policy.aborts(random()):
            counters.count(FAULT_ABORTED)
            return refusal
        if policy.truncates(random()):
            exchange.down = _Truncating(exchange.down, fault, counters)
        return None

    return strike


class _Truncating(ClientFront):
    """Lets so many bytes of an answer's body through, and then breaks off."""

    __slots__ = ("_counters", "_cut", "_exchange", "_iri", "_left")

    def __init__(self, inner: Downstream, fault: Fault, counters: EventCounters) -> None:
        super().__init__(inner)
        self._iri = fault.iri
        self._left = fault.truncate_bytes
        self._counters = counters
        self._exchange: Answering | None = None
        self._cut = False

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer, or the beginning of it."""
        if len(payload) <= self._left:
            self._inner.respond(exchange, head, payload, raw)
            return
        self._inner.begin(exchange, head)
        if self._left:
            self._inner.more(payload[: self._left])
        exchange.bytes_out += self._left - len(payload)
        self._break(exchange)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        self._exchange = exchange
        self._inner.begin(exchange, head)

    def more(self, payload: bytes) -> None:
        """A piece of the body, as far as it goes."""
        exchange = self._exchange
        if self._cut or exchange is None:
            return
        passed = payload[: self._left]
        self._left -= len(passed)
        if passed:
            self._inner.more(passed)
        if len(passed) < len(payload):
            exchange.bytes_out += len(passed) - len(payload)
            self._break(exchange)
            # Whoever gives us this piece goes on with the exchange when we return; after that the backend is let go.
            exchange.core.loop.call_soon(cast("Exchange", exchange).client_gone)

    def end(self) -> None:
        """The body has ended, whether it came through or not."""
        if not self._cut:
            self._inner.end()

    def cut(self) -> None:
        """End without an end."""
        if not self._cut:
            self._inner.cut()

    def _break(self, exchange: Answering) -> None:
        self._cut = True
        self._counters.count(FAULT_TRUNCATED)
        exchange.reason = f"fault injection {self._iri} broke the answer off"
        self._inner.cut()
