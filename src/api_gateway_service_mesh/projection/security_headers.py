"""What answers tell browsers to be careful about (``agw:SecurityHeaders``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import SecurityHeaders
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["SecurityHeadersFieldRow", "SecurityHeadersRow", "security_headers"]


@dataclass(frozen=True, slots=True)
class SecurityHeadersRow:
    """``security_headers.rq``."""

    route: str
    headers: str
    transport_age: str | None
    subdomains: str | None
    content: str | None
    referrer: str | None
    frames: str | None


@dataclass(frozen=True, slots=True)
class SecurityHeadersFieldRow:
    """``security_headers_field.rq``."""

    headers: str
    property: str
    field: str


def security_headers(
    rows: Iterable[SecurityHeadersRow], fields: Iterable[SecurityHeadersFieldRow], reading: Reading
) -> Mapping[str, SecurityHeaders]:
    """The security headers of each route, by route IRI."""
    named: dict[tuple[str, str], list[str]] = defaultdict(list)
    for field in fields:
        named[field.headers, field.property].append(field.field)
    made: dict[str, SecurityHeaders] = {}
    found: dict[str, SecurityHeaders] = {}
    for row in rows:
        iri = row.headers
        if row.route in found:
            continue
        if iri not in made:
            standard = SecurityHeaders(iri)
            age = reading.seconds(iri, AGW.transportSecurityAge, row.transport_age, standard.transport_seconds)
            made[iri] = SecurityHeaders(
                iri,
                int(age),
                reading.boolean(iri, AGW.includesSubdomains, row.subdomains),
                row.content,
                row.referrer or standard.referrer,
                row.frames or standard.frames,
                tuple(sorted(named[iri, AGW.setsField])),
                tuple(sorted({name.lower() for name in named[iri, AGW.removesField]})),
            )
        found[row.route] = made[iri]
    return found
