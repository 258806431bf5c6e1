"""Time limits (``agw:Timeout``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import DeadlineTrust, Timeout
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["TimeoutRow", "timeouts"]


@dataclass(frozen=True, slots=True)
class TimeoutRow:
    """``timeout.rq``."""

    timeout: str
    total_seconds: str | None
    total_duration: str | None
    per_attempt: str | None
    deadline_header: str | None
    deadline_trust: str | None
    idle: str | None


def timeouts(rows: Iterable[TimeoutRow], reading: Reading) -> dict[str, Timeout]:
    """Timeouts by IRI. The duration, being more exact, comes before the seconds."""
    found: dict[str, Timeout] = {}
    for row in rows:
        if row.timeout not in found:
            iri = row.timeout
            stated = row.total_seconds
            seconds = None if stated is None else reading.number(iri, AGW.timeoutSeconds, stated, 0.0)
            found[iri] = Timeout(
                iri,
                reading.seconds(iri, AGW.timeoutDuration, row.total_duration, seconds),
                reading.seconds(iri, AGW.perAttemptTimeout, row.per_attempt, None),
                row.deadline_header.lower() if row.deadline_header is not None else None,
                reading.choice(
                    iri, AGW.deadlineTrust, row.deadline_trust, DeadlineTrust, DeadlineTrust.TRUSTED_PROXIES
                ),
                reading.seconds(iri, AGW.streamIdleTimeout, row.idle, None),
            )
    return found
