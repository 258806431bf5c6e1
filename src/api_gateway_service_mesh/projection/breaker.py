"""Circuit breakers (``agw:CircuitBreaker``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Breaker
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["BreakerRow", "breakers"]


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """``breaker.rq``."""

    breaker: str
    failure_threshold: str | None
    open_seconds: str | None
    open_duration: str | None
    half_open_requests: str | None


def breakers(rows: Iterable[BreakerRow], reading: Reading) -> dict[str, Breaker]:
    """Breakers by IRI. The duration, being more exact, comes before the seconds."""
    found: dict[str, Breaker] = {}
    for row in rows:
        if row.breaker not in found:
            iri, defaults = row.breaker, Breaker(row.breaker)
            seconds = reading.number(iri, AGW.timeoutSeconds, row.open_seconds, defaults.open_seconds)
            found[iri] = Breaker(
                iri,
                reading.integer(iri, AGW.failureThreshold, row.failure_threshold, defaults.failure_threshold),
                reading.seconds(iri, AGW.openDuration, row.open_duration, seconds),
                reading.integer(iri, AGW.halfOpenRequests, row.half_open_requests, defaults.half_open_requests),
            )
    return found
