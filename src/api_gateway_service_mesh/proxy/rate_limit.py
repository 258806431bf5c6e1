"""Rate limits as gates: those by address before authentication, all others behind it.

A request asks each limiter of its route, in the order of their IRIs, and takes what it costs from each until one
refuses. What is left is told in the fields of draft-ietf-httpapi-ratelimit-headers: to who is refused always, to who is
admitted where the limiter says so; then of the one limiter that has the smallest share left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import KeyKind, RateLimit, Route
from api_gateway_service_mesh.policies import KeyedTokenBucket, Limiter, RateLimitCounters, key_hash, limiter

from .key import address_block, request_key
from .problem import Refusal
from .request_cost import Charge, CostOf, cost_gate, cost_of
from .shared_limit import shared_charge, shared_gate
from .wall import wall_clock

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["SHADOWED", "Asked", "KeyOf", "address_limits", "key_of", "rate_limit_fields", "rate_limits"]

SHADOWED = "rate-limit-shadow"
"""The flag in the access log of a request that a limiter in shadow mode would have refused."""

_ADDRESSES: Final = 8192

KeyOf = Callable[["Exchange"], int]


def address_limits(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The stage before authentication."""
    return _gates([limit for limit in handler.route.rate_limits if limit.by_address], handler.route, generation, core)


def rate_limits(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The stage behind authentication."""
    limits = [limit for limit in handler.route.rate_limits if not limit.by_address]
    return _gates(limits, handler.route, generation, core)


def rate_limit_fields(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The stage behind all limits: what admitted requests are told."""
    telling = [limit for limit in handler.route.rate_limits if limit.fields]
    if not telling:
        return []
    policies = b"RateLimit-Policy: " + b", ".join(_policy(limit) for limit in telling) + b"\r\n"

    def tell(exchange: Exchange) -> Refusal | None:
        told = exchange.limits_told
        if told:
            _, remaining, reset, name = min(told)
            fields = b'RateLimit: "%b";r=%d;t=%d\r\n%b' % (name, remaining, math.ceil(reset), policies)
            exchange.answer_fields += fields
        return None

    return [tell]


def key_of(limit: RateLimit, route: Route) -> KeyOf | None:
    """What makes a request's key of it; None when all share one bucket."""
    if not limit.keys:
        return None
    bits = limit.ipv6_prefix_length
    if len(limit.keys) > 1:
        keys = limit.keys

        def combined(exchange: Exchange) -> int:
            parts = [
                address_block(exchange.client, bits)
                if key.kind is KeyKind.CLIENT_ADDRESS
                else request_key(key, exchange)
                for key in keys
            ]
            # With their lengths, so that no text in one part passes for the beginning of the next.
            return key_hash("".join(f"{len(part)}:{part}" for part in parts))

        return combined
    (key,) = limit.keys
    if key.kind is KeyKind.CLIENT_ADDRESS:
        return lambda exchange: _address_hash(exchange.client, bits)
    if key.kind is KeyKind.ROUTE:
        hashed = key_hash(route.iri)
        return lambda exchange: hashed
    return lambda exchange: key_hash(request_key(key, exchange))


@lru_cache(maxsize=_ADDRESSES)  # a client asks more than once; other keys may be secrets, and are not kept
def _address_hash(address: str, bits: int) -> int:
    return key_hash(address_block(address, bits))


class Asked:
    """One limiter as one route asks it: what follows from what its machine says."""

    __slots__ = ("_cells", "_detail", "_name", "_policy", "_problem", "counters", "limit", "machine")

    def __init__(self, limit: RateLimit, machine: Limiter, counters: RateLimitCounters) -> None:
        self.limit = limit
        self.machine = machine
        self.counters = counters
        self._name = limit.name.encode("ascii")
        self._policy = _policy(limit)
        self._problem = "quota-exceeded" if limit.quota else "rate-limited"
        self._detail = (
            f"over the quota of {limit.burst} in {_period(limit)}"
            if limit.quota
            else f"over the limit of {limit.requests_per_second:g} requests per second"
        )

    def locally(self, exchange: Exchange, hashed: int, cost: int) -> Refusal | None:
        """Ask the machine of this gateway."""
        wait = self.machine.take(exchange.started, hashed, cost)
        if wait:
            return self.over(exchange, wait)
        self.counters.admitted()
        if self.limit.fields:
            now = exchange.started
            self.tell(exchange, self.machine.remaining(now, hashed), self.machine.reset_seconds(now, hashed))
        return None

    def tell(self, exchange: Exchange, remaining: int, reset: float) -> None:
        """Remember what is left, for `rate_limit_fields`."""
        told = (remaining / self.limit.burst, remaining, reset, self._name)
        exchange.limits_told = (*exchange.limits_told, told)

    def over(self, exchange: Exchange, wait: float) -> Refusal | None:
        """The request is over the limit: how it is told, or None in shadow mode."""
        if self.limit.shadow:
            self.counters.shadowed()
            exchange.flags = (*exchange.flags, SHADOWED)
            return None
        self.counters.rejected()
        seconds = max(1, math.ceil(wait))
        return Refusal(
            429,
            self._problem,
            self._detail,
            b'Retry-After: %d\r\nRateLimit: "%b";r=0;t=%d\r\nRateLimit-Policy: %b\r\n'
            % (seconds, self._name, seconds, self._policy),
            self.limit.iri,
        )


def _gates(limits: Sequence[RateLimit], route: Route, generation: Generation, core: Core) -> list[Gate]:
    gates: list[Gate] = []
    for limit in limits:
        gates += _gate(limit, route, generation, core)
    return gates


def _gate(limit: RateLimit, route: Route, generation: Generation, core: Core) -> list[Gate]:
    machine = limiter(limit, core.cells.view, generation.slots["rate_limit", limit.iri], core.lock, wall_clock)
    counters = RateLimitCounters(core.cells.view, generation.slots["rate_limit_count", limit.iri], core.worker)
    asked = Asked(limit, machine, counters)
    hashed, cost = key_of(limit, route), route.request_cost
    stated = cost_of(limit, cost)
    charge: Charge = machine.charge
    if limit.store is not None:
        store = core.stores.of(limit.store)
        asks = shared_gate(asked, hashed, stated or (lambda exchange: cost), store)
        charge = shared_charge(limit, machine.charge, store)
    elif stated is not None:
        asks = _as_stated(asked, hashed, stated)
    else:
        asks = _at_one_cost(asked, hashed, cost)
    note = cost_gate(limit, hashed, cost, counters, charge)
    return [asks] if note is None else [asks, note]


def _as_stated(asked: Asked, hashed: KeyOf | None, stated: CostOf) -> Gate:
    def ask(exchange: Exchange) -> Refusal | None:
        return asked.locally(exchange, hashed(exchange) if hashed is not None else 0, stated(exchange))

    return ask


def _at_one_cost(asked: Asked, hashed: KeyOf | None, cost: int) -> Gate:
    limit, machine, counters = asked.limit, asked.machine, asked.counters
    if limit.fields:
        return lambda exchange: asked.locally(exchange, hashed(exchange) if hashed is not None else 0, cost)
    if isinstance(machine, KeyedTokenBucket) and [key.kind for key in limit.keys] == [KeyKind.CLIENT_ADDRESS]:
        return _by_address(asked, machine, counters, cost)

    def everyone(exchange: Exchange) -> Refusal | None:
        wait = machine.take(exchange.started, 0, cost)
        if wait:
            return asked.over(exchange, wait)
        counters.admitted()
        return None

    def keyed(exchange: Exchange) -> Refusal | None:
        assert hashed is not None
        wait = machine.take(exchange.started, hashed(exchange), cost)
        if wait:
            return asked.over(exchange, wait)
        counters.admitted()
        return None

    return everyone if hashed is None else keyed


def _by_address(asked: Asked, bucket: KeyedTokenBucket, counters: RateLimitCounters, cost: int) -> Gate:
    """The commonest of them, with calls that a compiler can make directly."""
    bits = asked.limit.ipv6_prefix_length
    hashes: dict[str, int] = {}

    def ask(exchange: Exchange) -> Refusal | None:
        client = exchange.client
        hashed = hashes.get(client)
        if hashed is None:
            if len(hashes) >= _ADDRESSES:
                hashes.clear()
            hashed = hashes[client] = key_hash(address_block(client, bits))
        wait = bucket.take(exchange.started, hashed, cost)
        if wait:
            return asked.over(exchange, wait)
        counters.admitted()
        return None

    return ask


def _policy(limit: RateLimit) -> bytes:
    """An item of RateLimit-Policy: quota q, window w in seconds."""
    if limit.calendar is not None:  # no window is as long as the next, and the draft does without (§4.1.3)
        return b'"%b";q=%d' % (limit.name.encode("ascii"), limit.burst)
    window = limit.period_seconds if limit.windowed else limit.burst / limit.requests_per_second
    return b'"%b";q=%d;w=%d' % (limit.name.encode("ascii"), limit.burst, max(1, math.ceil(window)))


def _period(limit: RateLimit) -> str:
    if limit.calendar is not None:
        return f"a {limit.calendar.value.lower()} of the calendar ({limit.zone})"
    return _length(limit.period_seconds)


def _length(seconds: float) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = int(seconds // unit)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds"
