"""Faults made on purpose, as a stage: a request is held back, or answered with an error, before anything is chosen for
it. What was struck says so: in its log line (``reason``), and with the fault's IRI where it was aborted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Fault
from api_gateway_service_mesh.policies import FAULT_ABORTED, FAULT_DELAYED, EventCounters, FaultPolicy

from .condition import condition_test
from .problem import WAIT, Refusal

if TYPE_CHECKING:
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
        if policy.aborts(random()):
            counters.count(FAULT_ABORTED)
            return refusal
        return None

    return strike
