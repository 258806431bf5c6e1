"""Circuit breakers (``agw:CircuitBreaker``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Breaker, BreakerScope
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["BreakerRow", "BreakerStatusRow", "breakers"]


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """``breaker.rq``."""

    breaker: str
    failure_threshold: str | None
    open_seconds: str | None
    open_duration: str | None
    half_open_requests: str | None
    failure_rate: str | None
    slow_duration: str | None
    slow_rate: str | None
    window: str | None
    minimum_requests: str | None
    open_multiplier: str | None
    max_open_duration: str | None
    scope: str | None


@dataclass(frozen=True, slots=True)
class BreakerStatusRow:
    """``breaker_status.rq``."""

    breaker: str
    status: str


def breakers(
    rows: Iterable[BreakerRow], status_rows: Iterable[BreakerStatusRow], reading: Reading
) -> dict[str, Breaker]:
    """Breakers by IRI. The duration, being more exact, comes before the seconds."""
    statuses: dict[str, set[int]] = defaultdict(set)
    for stated in status_rows:
        statuses[stated.breaker].add(reading.integer(stated.breaker, AGW.failureStatus, stated.status, 500))
    found: dict[str, Breaker] = {}
    for row in rows:
        if row.breaker not in found:
            found[row.breaker] = _breaker(row, statuses.get(row.breaker, set()), reading)
    return found


def _breaker(row: BreakerRow, statuses: set[int], reading: Reading) -> Breaker:
    iri, defaults = row.breaker, Breaker(row.breaker)
    rate = row.failure_rate
    seconds = reading.number(iri, AGW.timeoutSeconds, row.open_seconds, defaults.open_seconds)
    return Breaker(
        iri,
        failure_threshold=reading.integer(iri, AGW.failureThreshold, row.failure_threshold, defaults.failure_threshold),
        open_seconds=reading.seconds(iri, AGW.openDuration, row.open_duration, seconds),
        half_open_requests=reading.integer(
            iri, AGW.halfOpenRequests, row.half_open_requests, defaults.half_open_requests
        ),
        failure_rate=None if rate is None else reading.number(iri, AGW.failureRateThreshold, rate, 100.0),
        slow_seconds=reading.seconds(iri, AGW.slowCallDuration, row.slow_duration, defaults.slow_seconds),
        slow_rate=reading.number(iri, AGW.slowCallRateThreshold, row.slow_rate, defaults.slow_rate),
        window_seconds=reading.seconds(iri, AGW.breakerWindow, row.window, defaults.window_seconds),
        minimum_requests=reading.integer(iri, AGW.minimumRequests, row.minimum_requests, defaults.minimum_requests),
        failure_statuses=tuple(sorted(statuses)),
        open_multiplier=reading.number(iri, AGW.openDurationMultiplier, row.open_multiplier, defaults.open_multiplier),
        max_open_seconds=reading.seconds(
            iri, AGW.maximumOpenDuration, row.max_open_duration, defaults.max_open_seconds
        ),
        scope=reading.choice(iri, AGW.breakerScope, row.scope, BreakerScope, defaults.scope),
    )
