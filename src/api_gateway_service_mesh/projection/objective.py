"""Service level objectives (``agw:ServiceLevelObjective``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Objective
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["ObjectiveRow", "objectives"]


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """``objective.rq``."""

    objective: str
    subject: str
    availability: str | None
    latency: str | None
    threshold: str | None
    window: str | None


def objectives(rows: Iterable[ObjectiveRow], served: Iterable[str], reading: Reading) -> tuple[Objective, ...]:
    """Objectives, sorted by IRI; of those held to them, those that are `served` (IRIs of routes and services)."""
    known = frozenset(served)
    by_iri: dict[str, list[ObjectiveRow]] = {}
    for row in rows:
        if row.subject in known:
            by_iri.setdefault(row.objective, []).append(row)
    found: list[Objective] = []
    for iri in sorted(by_iri):
        row = by_iri[iri][0]
        availability = (
            None if row.availability is None else reading.number(iri, AGW.availabilityTarget, row.availability, 0.0)
        )
        latency = None if row.latency is None else reading.number(iri, AGW.latencyTarget, row.latency, 0.0)
        made = Objective(iri, tuple(sorted({each.subject for each in by_iri[iri]})), availability, latency)
        threshold = reading.seconds(iri, AGW.latencyThreshold, row.threshold, None)
        window = reading.seconds(iri, AGW.objectiveWindow, row.window, made.window_seconds)
        found.append(Objective(iri, made.subjects, availability, latency, threshold, window))
    return tuple(found)
