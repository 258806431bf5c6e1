"""Answers that the gateway gives by itself (``agw:DirectResponse``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import DirectResponse
from api_gateway_service_mesh.routing.body import is_json
from api_gateway_service_mesh.routing.template import OWN_PLACES, template_error
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["DirectRow", "direct_responses"]


@dataclass(frozen=True, slots=True)
class DirectRow:
    """``direct.rq``."""

    route: str
    direct: str
    status: str | None
    body: str | None
    template: str | None
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
            if row.template is not None:
                made = found[row.route] = _templated(made, row.template, reading)
        if row.field is not None and made.iri == iri and row.field not in made.fields:
            found[row.route] = replace(made, fields=(*made.fields, row.field))
    return found


def _templated(made: DirectResponse, text: str, reading: Reading) -> DirectResponse:
    iri, kind = made.iri, made.content_type
    plain = kind.partition(";")[0].strip().lower() == "text/plain"
    if not (plain or is_json(kind)):
        message = f"{name_of(iri)}: agw:responseTemplate cannot write {kind}: values could break out of it"
        remedy = 'state agw:responseContentType "application/json" , or "text/plain; charset=utf-8" .'
        reading.note("invalid-value", message, iri, AGW.responseTemplate, text, remedy=remedy)
        return made
    error = template_error(text, OWN_PLACES, is_json=not plain)
    if error is not None:
        message = f"{name_of(iri)}: agw:responseTemplate cannot be read: {error}"
        remedy = 'write JSON with places in its texts: agw:responseTemplate """{"id": "${path.id}"}""" .'
        reading.note("invalid-value", message, iri, AGW.responseTemplate, text, remedy=remedy)
        return made
    return replace(made, body=text, is_template=True)
