"""Health checks (``agw:HealthCheck``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import HealthCheck
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["HealthRow", "health_checks"]

_RESTARTS = "2"  # the rank of liveness and startup probes in health.rq


@dataclass(frozen=True, slots=True)
class HealthRow:
    """``health.rq``: a service's checks, the one that decides about its traffic first."""

    upstream: str
    health: str
    rank: str
    path: str | None
    interval: str | None
    timeout: str | None
    success_threshold: str | None
    failure_threshold: str | None


def health_checks(rows: Iterable[HealthRow], reading: Reading) -> dict[str, HealthCheck]:
    """The check that decides about each service's traffic, by service IRI."""
    found: dict[str, HealthCheck] = {}
    for row in rows:
        chosen = found.get(row.upstream)
        if chosen is None:
            found[row.upstream] = _health_check(row, reading)
        elif chosen.iri != row.health and row.rank != _RESTARTS:
            reading.note(
                "several-health-checks",
                f"{name_of(row.upstream)} has several health checks; {name_of(chosen.iri)} decides about its traffic, "
                f"{name_of(row.health)} does not",
                row.upstream,
                AGW.hasHealthCheck,
                row.health,
                severity=Severity.WARNING,
                remedy="keep one; a readiness probe comes before a plain health check",
            )
    return found


def _health_check(row: HealthRow, reading: Reading) -> HealthCheck:
    iri, defaults = row.health, HealthCheck(row.health)
    return HealthCheck(
        iri,
        row.path or defaults.path,
        reading.seconds(iri, AGW.healthCheckInterval, row.interval, defaults.interval_seconds),
        reading.seconds(iri, AGW.healthCheckTimeout, row.timeout, defaults.timeout_seconds),
        reading.integer(iri, AGW.successThreshold, row.success_threshold, defaults.success_threshold),
        reading.integer(iri, AGW.failureThresholdHealth, row.failure_threshold, defaults.failure_threshold),
    )
