"""Which answers are compressed (``agw:Compression``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import CODINGS, Compression, CompressionEffort
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["CompressionRow", "CompressionValueRow", "compressions"]


@dataclass(frozen=True, slots=True)
class CompressionRow:
    """``compression.rq``."""

    route: str
    compression: str
    minimum_bytes: str | None
    effort: str | None


@dataclass(frozen=True, slots=True)
class CompressionValueRow:
    """``compression_value.rq``."""

    compression: str
    property: str
    value: str


def compressions(
    rows: Iterable[CompressionRow], values: Iterable[CompressionValueRow], reading: Reading
) -> Mapping[str, Compression]:
    """How each route's answers are compressed, by route IRI."""
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stated in values:
        said[stated.compression, stated.property].append(stated.value)
    made: dict[str, Compression] = {}
    found: dict[str, Compression] = {}
    for row in rows:
        iri = row.compression
        if row.route in found:
            continue
        if iri not in made:
            standard = Compression(iri)
            codings = said[iri, AGW.offersCoding]
            types = said[iri, AGW.compressesType]
            made[iri] = Compression(
                iri,
                tuple(coding for coding in CODINGS if coding in codings) or standard.codings,
                tuple(sorted({kind.lower() for kind in types})) or standard.types,
                reading.integer(iri, AGW.minimumBytes, row.minimum_bytes, standard.minimum_bytes),
                reading.choice(iri, AGW.compressionEffort, row.effort, CompressionEffort, standard.effort),
            )
        found[row.route] = made[iri]
    return found
