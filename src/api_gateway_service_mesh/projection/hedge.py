"""Hedging (``agw:Hedging``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import Hedging
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["HedgeRow", "hedgings"]


@dataclass(frozen=True, slots=True)
class HedgeRow:
    """``hedge.rq``."""

    hedging: str
    delay: str | None
    non_idempotent: str | None


def hedgings(rows: Iterable[HedgeRow], reading: Reading) -> dict[str, Hedging]:
    """Hedgings by IRI."""
    found: dict[str, Hedging] = {}
    for row in rows:
        if row.hedging not in found:
            iri, defaults = row.hedging, Hedging(row.hedging)
            found[iri] = Hedging(
                iri,
                reading.seconds(iri, AGW.hedgeDelay, row.delay, defaults.delay_seconds),
                reading.boolean(iri, AGW.hedgeNonIdempotent, row.non_idempotent),
            )
    return found
