"""Exemptions from guarantees (``agw:Exemption``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from api_gateway_service_mesh.model import Exemption
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["ExemptionRow", "exemptions"]


@dataclass(frozen=True, slots=True)
class ExemptionRow:
    """``exemption.rq``."""

    exemption: str
    exempted: str
    policy: str
    reason: str | None
    owner: str | None
    valid_until: str


def exemptions(rows: Iterable[ExemptionRow], reading: Reading) -> tuple[Exemption, ...]:
    """Exemptions, sorted by IRI. One whose date cannot be read exempts nobody."""
    by_iri: dict[str, list[ExemptionRow]] = {}
    for row in rows:
        by_iri.setdefault(row.exemption, []).append(row)
    found: list[Exemption] = []
    for iri in sorted(by_iri):
        same = by_iri[iri]
        text = same[0].valid_until
        try:
            last_day = date.fromisoformat(text[:10])  # what may follow is a time zone (XML Schema 1.1 part 2 §3.3.9)
        except ValueError:
            message = f"{name_of(iri)}: agw:validUntil is {text!r}, which is no date"
            reading.note("invalid-value", message, iri, AGW.validUntil, text, allowed='a date such as "2027-03-31"')
            continue
        found.append(
            Exemption(
                iri,
                tuple(sorted({row.exempted for row in same})),
                tuple(sorted({row.policy for row in same})),
                same[0].reason or "",
                same[0].owner or "",
                last_day.isoformat(),
            )
        )
    return tuple(found)
