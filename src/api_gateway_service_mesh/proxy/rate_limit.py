"""Rate limits as gates: those by address before authentication, all others behind it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import KeyKind, RateLimit
from api_gateway_service_mesh.policies import RateLimitCounters, key_hash, token_bucket

from .key import request_key
from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["address_limits", "rate_limits"]

# A client asks more than once; other keys may be secrets, and are not kept.
_address_hash = lru_cache(maxsize=8192)(key_hash)


def address_limits(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The stage before authentication."""
    return [_rate_limit(limit, generation, core) for limit in handler.route.rate_limits if _by_address(limit)]


def rate_limits(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The stage behind authentication."""
    return [_rate_limit(limit, generation, core) for limit in handler.route.rate_limits if not _by_address(limit)]


def _by_address(limit: RateLimit) -> bool:
    return limit.key is not None and limit.key.kind is KeyKind.CLIENT_ADDRESS


def _rate_limit(limit: RateLimit, generation: Generation, core: Core) -> Gate:
    bucket = token_bucket(limit, core.cells.view, generation.slots["rate_limit", limit.iri], core.lock)
    counters = RateLimitCounters(core.cells.view, generation.slots["rate_limit_count", limit.iri], core.worker)
    take, admitted, key = bucket.take, counters.admitted, limit.key
    window = max(1, math.ceil(limit.burst / limit.requests_per_second))
    # RateLimit fields: draft-ietf-httpapi-ratelimit-headers (structured fields: quota q, window w, remaining r, reset
    # t).
    policy = b'RateLimit-Policy: "default";q=%d;w=%d\r\n' % (limit.burst, window)

    def refuse(wait: float) -> Refusal:
        counters.rejected()
        seconds = max(1, math.ceil(wait))
        return Refusal(
            429,
            "rate-limited",
            f"over the limit of {limit.requests_per_second:g} requests per second",
            b'Retry-After: %d\r\nRateLimit: "default";r=0;t=%d\r\n%b' % (seconds, seconds, policy),
            limit.iri,
        )

    def shared(exchange: Exchange) -> Refusal | None:
        wait = take(exchange.started)
        if wait:
            return refuse(wait)
        admitted()
        return None

    def by_address(exchange: Exchange) -> Refusal | None:
        wait = take(exchange.started, _address_hash(exchange.client))
        if wait:
            return refuse(wait)
        admitted()
        return None

    def keyed(exchange: Exchange) -> Refusal | None:
        assert key is not None
        wait = take(exchange.started, key_hash(request_key(key, exchange)))
        if wait:
            return refuse(wait)
        admitted()
        return None

    if key is None:
        return shared
    return by_address if key.kind is KeyKind.CLIENT_ADDRESS else keyed
