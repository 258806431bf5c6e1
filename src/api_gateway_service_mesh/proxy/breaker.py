"""The breaker's stage.

By scope ``route`` or ``service`` a breaker is asked once a request, after its target is chosen, and told the outcome
once, after all retries. By scope ``instance`` it is asked at each attempt, where the endpoint is picked, and told of
each.
"""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import Breaker, BreakerScope, Route
from api_gateway_service_mesh.policies import CircuitBreaker, breaker_key

from .attempt import AttemptOutcome
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler
    from .pool import EndpointPool
    from .target import Target

__all__ = ["InstanceBreakers", "breaker_gates", "watch_instances"]

_LEASE_SECONDS = 60.0


def breaker_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of the route's circuit breaker: 503 ``circuit-open`` while it admits nobody."""
    config = handler.route.breaker
    if config is None or config.scope is BreakerScope.INSTANCE:
        return []
    if config.scope is BreakerScope.ROUTE:
        machine = _machine(config, "", handler, generation, core)
        return [] if machine is None else [_gate(machine)]
    gates: dict[str, Gate | None] = {}

    def ask(exchange: Exchange) -> Refusal | None:
        target = exchange.target or handler.target
        if target is None:
            return None
        iri = target.upstream.iri
        if iri not in gates:
            machine = _machine(config, iri, handler, generation, core)
            gates[iri] = None if machine is None else _gate(machine)
        gate = gates[iri]
        return None if gate is None else gate(exchange)

    return [ask]


def _machine(
    config: Breaker, subject: str, handler: RouteHandler, generation: Generation, core: Core
) -> CircuitBreaker | None:
    lease = max(_LEASE_SECONDS, 2 * (handler.total_seconds or 0.0))
    base = generation.slots.get(breaker_key(config, subject))
    if base is None:
        return None
    return CircuitBreaker(config, core.cells.view, base, core.lock, lease_seconds=lease)


def _gate(breaker: CircuitBreaker) -> Gate:
    def ask(exchange: Exchange) -> Refusal | None:
        ticket = breaker.admit(exchange.started)
        if ticket:
            exchange.ticket = ticket
            exchange.breaker = breaker
            return None
        return _refusal(breaker.iri, breaker.retry_after_seconds(monotonic()))

    return ask


def _refusal(iri: str, seconds: float) -> Refusal:
    return Refusal(
        503,
        "circuit-open",
        "the circuit breaker is open after failures of the backend",
        b"Retry-After: %d\r\n" % max(1, math.ceil(seconds)),
        iri,
    )


def watch_instances(target: Target, route: Route, generation: Generation, core: Core) -> None:
    """Give `target` the breakers of its endpoints, when `route`'s breaker has a state for each."""
    config = route.breaker
    if config is None or config.scope is not BreakerScope.INSTANCE:
        return
    bases = [generation.slots.get(breaker_key(config, pool.endpoint.iri)) for pool in target.pools]
    view, lock = core.cells.view, core.lock
    machines = [
        CircuitBreaker(config, view, base, lock, lease_seconds=_LEASE_SECONDS) for base in bases if base is not None
    ]
    if machines and len(machines) == len(bases):
        target.breakers = InstanceBreakers(config.iri, machines)
        target.only = None
        target.on_attempt = (*target.on_attempt, target.breakers.told)


class InstanceBreakers:
    """The breakers of a target's endpoints, by their index."""

    __slots__ = ("_machines", "iri")

    def __init__(self, iri: str, machines: list[CircuitBreaker]) -> None:
        self.iri = iri
        self._machines = machines

    def pick(self, target: Target, exchange: Exchange) -> int:
        """The endpoint that the balancer picks among those whose breakers admit the attempt; -1 when none does.

        Those that are shut count as tried, so the balancer passes them over; when it has no other left it begins anew,
        and so do we, with the ones that were tried for this request.
        """
        now = monotonic()
        tried, shut = exchange.tried, 0
        while True:
            exchange.tried = tried | shut
            index = target.pick(exchange)
            exchange.tried = tried
            if index < 0:
                return -1
            if shut >> index & 1:
                if not tried:
                    return -1
                exchange.tried = tried = 0
                continue
            machine = self._machines[index]
            ticket = machine.admit(now)
            if ticket:
                exchange.attempt_ticket = ticket
                exchange.attempt_breaker = machine
                return index
            shut |= 1 << index

    def refusal(self) -> Refusal:
        """503 ``circuit-open``."""
        now = monotonic()
        return _refusal(self.iri, min(machine.retry_after_seconds(now) for machine in self._machines))

    def told(self, exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
        """What became of the attempt that `pick` let through."""
        ticket, machine = exchange.attempt_ticket, exchange.attempt_breaker
        if machine is None or not ticket:
            return
        exchange.attempt_ticket = 0.0
        if outcome.failure is None and not outcome.status:
            machine.cancel(ticket)
        else:
            ok = outcome.failure is None and not machine.fails(outcome.status)
            machine.record(ticket, ok, outcome.now, outcome.seconds)
