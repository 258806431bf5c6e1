"""Health checks (``agw:HealthCheck``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import CheckProtocol, HealthCheck, Purpose
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["HealthRow", "HealthValueRow", "health_checks"]


@dataclass(frozen=True, slots=True)
class HealthRow:
    """``health.rq``: a service's checks, by purpose, the one that counts first."""

    upstream: str
    health: str
    purpose: str
    rank: str
    path: str | None
    interval: str | None
    timeout: str | None
    success_threshold: str | None
    failure_threshold: str | None
    protocol: str | None
    host: str | None
    unhealthy_interval: str | None
    jitter: str | None
    grpc_service: str | None


@dataclass(frozen=True, slots=True)
class HealthValueRow:
    """``health_value.rq``: one of the two is bound."""

    health: str
    status: str | None
    header: str | None


def health_checks(
    rows: Iterable[HealthRow], values: Iterable[HealthValueRow], reading: Reading
) -> dict[str, dict[Purpose, HealthCheck]]:
    """The checks of each service by what they are for, by service IRI."""
    statuses: dict[str, list[str]] = defaultdict(list)
    headers: dict[str, list[str]] = defaultdict(list)
    for value in values:
        if value.status is not None:
            statuses[value.health].append(value.status)
        if value.header is not None:
            headers[value.health].append(value.header)
    found: dict[str, dict[Purpose, HealthCheck]] = defaultdict(dict)
    for row in rows:
        purpose = Purpose(row.purpose)
        chosen = found[row.upstream].get(purpose)
        if chosen is None:
            found[row.upstream][purpose] = _health_check(row, statuses, headers, reading)
        elif chosen.iri != row.health:
            reading.note(
                "several-health-checks",
                f"{name_of(row.upstream)} has several health checks for {purpose}; {name_of(chosen.iri)} counts, "
                f"{name_of(row.health)} does not",
                row.upstream,
                AGW.hasHealthCheck,
                row.health,
                severity=Severity.WARNING,
                remedy="keep one; a readiness probe comes before a plain health check",
            )
    return found


def _health_check(
    row: HealthRow, statuses: Mapping[str, list[str]], headers: Mapping[str, list[str]], reading: Reading
) -> HealthCheck:
    iri, usual = row.health, HealthCheck(row.health)
    return HealthCheck(
        iri,
        row.path or usual.path,
        reading.seconds(iri, AGW.healthCheckInterval, row.interval, usual.interval_seconds),
        reading.seconds(iri, AGW.healthCheckTimeout, row.timeout, usual.timeout_seconds),
        reading.integer(iri, AGW.successThreshold, row.success_threshold, usual.success_threshold),
        reading.integer(iri, AGW.failureThresholdHealth, row.failure_threshold, usual.failure_threshold),
        reading.choice(iri, AGW.healthCheckProtocol, row.protocol, CheckProtocol, usual.protocol),
        tuple(statuses.get(iri, ())),
        tuple(headers.get(iri, ())),
        row.host,
        reading.seconds(iri, AGW.unhealthyCheckInterval, row.unhealthy_interval, None),
        reading.integer(iri, AGW.healthCheckJitter, row.jitter, usual.jitter),
        row.grpc_service or usual.grpc_service,
    )
