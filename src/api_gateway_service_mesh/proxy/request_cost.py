"""What a request costs a limiter: what its route says, or one of its own fields, or a field of its answer.

- ``agw:requestCostHeader``: known before the request is admitted. What a caller says of itself raises the cost and
  never lowers it: less than the route's ``agw:requestCost`` is not believed, nor more than the limiter ever holds.
- ``agw:responseCostHeader``: known when the answer's head is there, and charged then. The request has paid on its way
  in; what the answer says beyond that is taken, and may leave the caller in debt, which ends as tokens come back.
  The field is the gateway's, and ends here. Answers that no backend made (refusals, what a cache has) charge nothing.

What stands in such a field and is no whole number counts as if it were not there, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import RateLimit
from api_gateway_service_mesh.policies import RateLimitCounters

from .answer import AnswerHead

if TYPE_CHECKING:
    from .exchange import Exchange
    from .pipeline import Gate
    from .problem import Refusal
    from .rate_limit import KeyOf

__all__ = ["AnswerCost", "Charge", "CostOf", "cost_gate", "cost_of", "settle", "stated_cost"]

CostOf = Callable[["Exchange"], int]

Charge = Callable[[float, int, int], None]
"""Takes, at that time, of the key with that hash, so many tokens."""

_DIGITS: Final = 15
"""Longer numbers cannot be counted exactly."""


def stated_cost(value: bytes) -> int | None:
    """A whole number of nothing but digits; None for anything else."""
    return int(value) if value.isdigit() and len(value) <= _DIGITS else None


def cost_of(limit: RateLimit, standard: int) -> CostOf | None:
    """What finds out what a request costs on its way in; None when all cost the `standard`."""
    name = limit.cost_field
    if name is None:
        return None
    highest = max(standard, min(limit.highest_cost, limit.burst))

    def found(exchange: Exchange) -> int:
        said = exchange.block.header(name)
        cost = stated_cost(said.encode("utf-8")) if said is not None else None
        return standard if cost is None else min(max(cost, standard), highest)

    return found


class AnswerCost:
    """What the answers of one route cost one limiter."""

    __slots__ = ("_charge", "_counters", "_highest", "field")

    def __init__(self, limit: RateLimit, counters: RateLimitCounters, charge: Charge) -> None:
        self.field = (limit.answer_cost_field or "").encode("ascii")
        self._highest = limit.highest_cost
        self._counters = counters
        self._charge = charge

    def settle(self, head: AnswerHead, hashed: int, paid: int) -> None:
        """Take what the answer costs beyond what its request has `paid`."""
        size = len(self.field)
        said = [line[size + 1 :] for line in head.block.split(b"\r\n") if line[: size + 1].lower() == self.field + b":"]
        if not said:
            return
        cost = stated_cost(said[0].strip(b" \t")) if len(said) == 1 else None
        if cost is None:
            self._counters.unreadable()
            return
        owed = min(cost, self._highest) - paid
        if owed > 0:
            self._counters.charged(owed)
            self._charge(monotonic(), hashed, owed)


def settle(costs: tuple[tuple[AnswerCost, int, int], ...], head: AnswerHead) -> None:
    """Settle what a request owes: to which limiter, of which key, and what it has paid."""
    for cost, hashed, paid in costs:
        cost.settle(head, hashed, paid)


def cost_gate(
    limit: RateLimit, key_of: KeyOf | None, standard: int, counters: RateLimitCounters, charge: Charge
) -> Gate | None:
    """The gate behind that of a limiter: it remembers what the answer has to be asked for. None where all is known."""
    if limit.cost_field is None and limit.answer_cost_field is None:
        return None
    name, stated = limit.cost_field, cost_of(limit, standard)
    answered = AnswerCost(limit, counters, charge) if limit.answer_cost_field is not None else None

    def note(exchange: Exchange) -> Refusal | None:
        if name is not None:
            said = exchange.block.header(name)
            if said is not None and stated_cost(said.encode("utf-8")) is None:
                counters.unreadable()
        if answered is not None:
            paid = stated(exchange) if stated is not None else standard
            hashed = key_of(exchange) if key_of is not None else 0
            exchange.costs = (*exchange.costs, (answered, hashed, paid))
            exchange.answer_drops |= {answered.field}
        return None

    return note
