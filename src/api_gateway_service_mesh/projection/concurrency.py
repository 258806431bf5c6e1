"""Concurrency limits (``agw:AdaptiveConcurrency``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import AdaptiveConcurrency
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["ConcurrencyRow", "concurrency_limits"]


@dataclass(frozen=True, slots=True)
class ConcurrencyRow:
    """``concurrency.rq``."""

    concurrency: str
    minimum: str | None
    maximum: str | None
    tolerance: str | None
    baseline_period: str | None


def concurrency_limits(rows: Iterable[ConcurrencyRow], reading: Reading) -> dict[str, AdaptiveConcurrency]:
    """Limits by IRI."""
    found: dict[str, AdaptiveConcurrency] = {}
    standard = AdaptiveConcurrency("")
    for row in rows:
        iri = row.concurrency
        if iri not in found:
            minimum = reading.integer(iri, AGW.minimumConcurrency, row.minimum, standard.minimum)
            maximum = reading.integer(iri, AGW.maximumConcurrency, row.maximum, max(standard.maximum, minimum))
            found[iri] = AdaptiveConcurrency(
                iri,
                min(minimum, maximum),
                maximum,
                reading.number(iri, AGW.latencyTolerance, row.tolerance, standard.tolerance),
                reading.seconds(iri, AGW.baselinePeriod, row.baseline_period, standard.baseline_seconds),
            )
    return found
