"""Answers that the gateway gives by itself (``agw:DirectResponse``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import DirectResponse
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["DirectRow", "direct_responses"]


@dataclass(frozen=True, slots=True)
class DirectRow:
    """``direct.rq``."""

    route: str
    direct: str
    status: str | None
    body: str | None
    content_type: str | None
    field: str | None


def direct_responses(rows: Iterable[DirectRow], reading: Reading) -> Mapping[str, DirectResponse]:
    """The answer of each route, by route IRI."""
    found: dict[str, DirectResponse] = {}
    for row in rows:
        iri, standard = row.direct, DirectResponse(row.direct)
        made = found.get(row.route)
        if made is None:
            made = found[row.route] = DirectResponse(
                iri,
                reading.integer(iri, AGW.responseStatus, row.status, standard.status),
                row.body or standard.body,
                row.content_type or standard.content_type,
            )
        if row.field is not None and made.iri == iri and row.field not in made.fields:
            found[row.route] = replace(made, fields=(*made.fields, row.field))
    return found
