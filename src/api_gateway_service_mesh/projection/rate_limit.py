"""Rate limits (``agw:RateLimiter``)."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import (
    CalendarUnit,
    FailureMode,
    LimitAlgorithm,
    RateLimit,
    RedisStore,
    RequestKey,
    Route,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = [
    "RateLimitKeyRow",
    "RateLimitRow",
    "RouteRateLimitRow",
    "rate_limits",
    "refuse_costs_above_limits",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_RATE_CAPACITY = 8192
_QUOTA_CAPACITY = 65536
_USUAL_SECONDS = {
    CalendarUnit.HOUR: 3600.0,
    CalendarUnit.DAY: 86400.0,
    CalendarUnit.WEEK: 604800.0,
    CalendarUnit.MONTH: 2592000.0,
}


@dataclass(frozen=True, slots=True)
class RateLimitRow:
    """``rate_limit.rq``."""

    rate_limit: str
    requests_per_second: str | None
    burst: str | None
    quota: str | None
    quota_period: str | None
    algorithm: str | None
    key_capacity: str | None
    ipv6_prefix_length: str | None
    shadow: str | None
    fields: str | None
    store: str | None
    failure_mode: str | None
    calendar: str | None
    zone: str | None
    cost_field: str | None
    answer_cost_field: str | None
    maximum_cost: str | None


@dataclass(frozen=True, slots=True)
class RouteRateLimitRow:
    """``route_rate_limit.rq``."""

    route: str
    rate_limit: str


@dataclass(frozen=True, slots=True)
class RateLimitKeyRow:
    """``rate_limit_key.rq``."""

    rate_limit: str
    key: str


def rate_limits(
    rows: Iterable[RateLimitRow],
    key_rows: Iterable[RateLimitKeyRow],
    links: Iterable[RouteRateLimitRow],
    stores: Mapping[str, RedisStore],
    reading: Reading,
) -> Mapping[str, tuple[RateLimit, ...]]:
    """The limits of each route, by route IRI; a limiter that several routes name is one limit, shared. A limiter
    without a rate or a quota limits nothing, and is none."""
    keys: dict[str, dict[RequestKey, None]] = defaultdict(dict)
    for stated in key_rows:
        key = reading.key(stated.rate_limit, AGW.limitKey, stated.key)
        if key is not None:
            keys[stated.rate_limit][key] = None
    limits: dict[str, RateLimit] = {}
    for row in rows:
        if row.rate_limit not in limits:
            found = _rate_limit(row, tuple(keys.get(row.rate_limit, ())), stores, reading)
            if found is not None:
                limits[row.rate_limit] = found
    of_route: dict[str, list[RateLimit]] = defaultdict(list)
    for link in links:
        if link.rate_limit in limits:
            of_route[link.route].append(limits[link.rate_limit])
    return {route: tuple(asked) for route, asked in of_route.items()}


def _rate_limit(
    row: RateLimitRow, keys: tuple[RequestKey, ...], stores: Mapping[str, RedisStore], reading: Reading
) -> RateLimit | None:
    iri = row.rate_limit
    quota = any(stated is not None for stated in (row.quota, row.quota_period, row.calendar))
    if not quota and row.requests_per_second is None:
        return None
    standard = LimitAlgorithm.FIXED_WINDOW if quota else LimitAlgorithm.TOKEN_BUCKET
    algorithm = reading.choice(iri, AGW.limitAlgorithm, row.algorithm, LimitAlgorithm, standard)
    calendar = None
    if row.calendar is not None:
        calendar = reading.choice(iri, AGW.quotaCalendar, row.calendar, CalendarUnit, CalendarUnit.DAY)
    if quota:
        burst = max(1, reading.integer(iri, AGW.quota, row.quota, 1))
        period = reading.seconds(iri, AGW.quotaPeriod, row.quota_period, 1.0) or 1.0
        if calendar is not None:
            period = _USUAL_SECONDS[calendar]
        rate = burst / period
    else:
        rate, period = reading.number(iri, AGW.requestsPerSecond, row.requests_per_second, 1.0), 1.0
        burst = reading.integer(iri, AGW.burstSize, row.burst, max(1, math.ceil(rate)))
    name = name_of(iri)
    return RateLimit(
        iri,
        rate,
        burst,
        keys,
        algorithm,
        period,
        name if _NAME.match(name) else "default",
        quota,
        reading.integer(iri, AGW.keyCapacity, row.key_capacity, _QUOTA_CAPACITY if quota else _RATE_CAPACITY),
        reading.integer(iri, AGW.ipv6PrefixLength, row.ipv6_prefix_length, 64),
        reading.boolean(iri, AGW.shadowMode, row.shadow),
        reading.boolean(iri, AGW.rateLimitFields, row.fields),
        reading.known(iri, AGW.sharedThrough, row.store, stores, "agw:RedisStore"),
        reading.choice(iri, AGW.failureMode, row.failure_mode, FailureMode, FailureMode.LOCAL),
        calendar,
        reading.time_zone(iri, AGW.quotaZone, row.zone),
        row.cost_field.lower() if row.cost_field is not None else None,
        row.answer_cost_field.lower() if row.answer_cost_field is not None else None,
        reading.integer(iri, AGW.maximumCost, row.maximum_cost, 1) if row.maximum_cost is not None else None,
    )


def refuse_costs_above_limits(route: Route, reading: Reading) -> None:
    """A request that costs more than a limiter ever holds would be refused for ever."""
    for limit in route.rate_limits:
        if route.request_cost > limit.burst:
            reading.note(
                "cost-above-limit",
                f"{route.name}: its requests cost {route.request_cost}, and {name_of(limit.iri)} never has more than "
                f"{limit.burst}: all of them would be refused",
                route.iri,
                AGW.requestCost,
                str(route.request_cost),
                allowed=f"at most {limit.burst}",
                remedy="lower agw:requestCost, or raise agw:burstSize (agw:quota) of the limiter",
            )
