"""Faults made on purpose (``agw:FaultInjection``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Fault, RequestCondition
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["FaultRow", "faults"]

MOST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class FaultRow:
    """``fault.rq``."""

    route: str
    fault: str
    delay: str | None
    delay_percent: str | None
    abort_status: str | None
    abort_percent: str | None
    reset_percent: str | None
    truncate_percent: str | None
    truncate_bytes: str | None


def faults(
    rows: Iterable[FaultRow], conditions: Mapping[str, tuple[RequestCondition, ...]], reading: Reading
) -> Mapping[str, tuple[Fault, ...]]:
    """The faults of each route, by route IRI."""
    found: dict[str, dict[str, Fault]] = defaultdict(dict)
    for row in rows:
        if row.fault not in found[row.route]:
            found[row.route][row.fault] = _fault(row, conditions.get(row.fault, ()), reading)
    return {route: tuple(by_iri.values()) for route, by_iri in found.items()}


def _fault(row: FaultRow, triggers: tuple[RequestCondition, ...], reading: Reading) -> Fault:
    iri, standard = row.fault, Fault(row.fault)
    delay = reading.seconds(iri, AGW.delayDuration, row.delay, None)
    if delay is not None and delay > MOST_SECONDS:
        reading.note(
            "delay-too-long",
            f"{name_of(iri)} holds requests back for {delay:g} s; what stands still for that long is given up anyhow",
            iri,
            AGW.delayDuration,
            row.delay,
            allowed="at most 5 minutes",
        )
    status = None if row.abort_status is None else reading.integer(iri, AGW.abortStatus, row.abort_status, 503)
    return Fault(
        iri,
        delay,
        reading.number(iri, AGW.delayPercent, row.delay_percent, standard.delay_percent),
        status,
        reading.number(iri, AGW.abortPercent, row.abort_percent, standard.abort_percent),
        triggers,
        reading.number(iri, AGW.resetPercent, row.reset_percent, standard.reset_percent),
        reading.number(iri, AGW.truncatePercent, row.truncate_percent, standard.truncate_percent),
        reading.integer(iri, AGW.truncateAfterBytes, row.truncate_bytes, standard.truncate_bytes),
    )
