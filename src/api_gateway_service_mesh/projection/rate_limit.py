"""Rate limits (``agw:RateLimiter``)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import RateLimit
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["RateLimitRow", "rate_limits"]


@dataclass(frozen=True, slots=True)
class RateLimitRow:
    """``rate_limit.rq``."""

    route: str
    rate_limit: str
    requests_per_second: str
    burst: str | None
    key: str | None


def rate_limits(rows: Iterable[RateLimitRow], reading: Reading) -> Mapping[str, tuple[RateLimit, ...]]:
    """The limits of each route, by route IRI; a limiter that several routes name is one limit, shared."""
    limits: dict[str, RateLimit] = {}
    found: dict[str, dict[str, RateLimit]] = defaultdict(dict)
    for row in rows:
        limit = limits.get(row.rate_limit)
        if limit is None:
            limit = limits[row.rate_limit] = _rate_limit(row, reading)
        found[row.route][limit.iri] = limit
    return {route: tuple(by_iri.values()) for route, by_iri in found.items()}


def _rate_limit(row: RateLimitRow, reading: Reading) -> RateLimit:
    iri = row.rate_limit
    rate = reading.number(iri, AGW.requestsPerSecond, row.requests_per_second, 1.0)
    burst = reading.integer(iri, AGW.burstSize, row.burst, max(1, math.ceil(rate)))
    return RateLimit(iri, rate, burst, reading.key(iri, AGW.limitKey, row.key))
