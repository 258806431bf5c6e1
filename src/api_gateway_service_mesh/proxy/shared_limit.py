"""A rate limit that several gateways count together: the gate waits for the store's verdict, nothing else does.

A caller who was told to wait is refused without asking until that time is over: tokens only come back with time, so the
store could say nothing else, and a flood over the limit costs it nothing. Where requests say themselves what they cost
each is asked about: a cheap one may be let in where a dear one was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import FailureMode, RateLimit

from .problem import WAIT, Refusal
from .redis import SharedStore, Verdict
from .redis_script import script_arguments, script_key
from .wall import wall_clock

if TYPE_CHECKING:
    from .exchange import Exchange
    from .pipeline import Gate
    from .rate_limit import Asked, KeyOf
    from .request_cost import Charge, CostOf

__all__ = ["shared_charge", "shared_gate"]

_REFUSED_KEYS = 4096


def shared_gate(asked: Asked, key_of: KeyOf | None, cost_of: CostOf, store: SharedStore) -> Gate:
    """The gate of a limit that is counted in `store`."""
    limit = asked.limit
    refused: dict[int, float] = {}
    server = f"{store.config.host}:{store.config.port}"

    def ask(exchange: Exchange) -> Refusal | None:
        hashed = key_of(exchange) if key_of is not None else 0
        now = exchange.started
        if exchange.waits_at is ask:
            verdict = exchange.limit_verdict
            return decide(exchange, hashed, verdict) if verdict is not None else without(exchange, hashed)
        until = refused.get(hashed)
        if until is not None:
            if until > now:
                return asked.over(exchange, until - now)
            del refused[hashed]

        def told(verdict: Verdict | None) -> None:
            exchange.limit_verdict = verdict
            exchange.proceed()

        arguments = script_arguments(limit, cost_of(exchange), wall_clock(now))
        if not store.ask(script_key(limit, hashed), arguments, told):
            return without(exchange, hashed)
        exchange.waits_at = ask
        return WAIT

    def decide(exchange: Exchange, hashed: int, verdict: Verdict) -> Refusal | None:
        if verdict.wait and limit.cost_field is None:
            if len(refused) >= _REFUSED_KEYS:
                refused.clear()
            refused[hashed] = exchange.started + verdict.wait
        if verdict.wait:
            return asked.over(exchange, verdict.wait)
        asked.counters.admitted()
        if limit.fields:
            asked.tell(exchange, verdict.remaining, verdict.reset)
        return None

    def without(exchange: Exchange, hashed: int) -> Refusal | None:
        """The store does not answer."""
        asked.counters.fallback()
        mode = limit.failure_mode
        if mode is FailureMode.LOCAL:
            return asked.locally(exchange, hashed, cost_of(exchange))
        if mode is FailureMode.OPEN or limit.shadow:
            asked.counters.admitted()
            return None
        asked.counters.rejected()
        return Refusal(
            503,
            "rate-limit-unavailable",
            "whether this request is within its limit cannot be checked at the moment",
            b"Retry-After: 1\r\n",
            limit.iri,
            failure=True,
            reason=f"the limit's store at {server} does not answer",
        )

    return ask


def shared_charge(limit: RateLimit, locally: Charge, store: SharedStore) -> Charge:
    """Charges in `store` what was admitted before; nobody waits for it. While it is away this gateway charges alone,
    where it counts alone."""
    alone = limit.failure_mode is FailureMode.LOCAL

    def charge(now: float, hashed: int, cost: int) -> None:
        def told(verdict: Verdict | None) -> None:
            if verdict is None and alone:
                locally(now, hashed, cost)

        arguments = script_arguments(limit, cost, wall_clock(now), charge=True)
        if not store.ask(script_key(limit, hashed), arguments, told):
            told(None)

    return charge
