"""Services that are asked who may do what (``agw:ExternalAuthorization``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import AuthorizationFailureMode, ExternalAuthorization, Upstream
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["ExternalAuthorizationFieldRow", "ExternalAuthorizationRow", "external_authorizations"]

_MOST_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class ExternalAuthorizationRow:
    """``external_authorization.rq``."""

    route: str
    external: str
    service: str | None
    failure_mode: str | None
    path_prefix: str | None
    timeout: str | None
    passes_denial: str | None
    lifetime: str | None


@dataclass(frozen=True, slots=True)
class ExternalAuthorizationFieldRow:
    """``external_authorization_field.rq``."""

    external: str
    property: str
    field: str


def external_authorizations(
    rows: Iterable[ExternalAuthorizationRow],
    fields: Iterable[ExternalAuthorizationFieldRow],
    upstreams: Mapping[str, Upstream],
    reading: Reading,
) -> Mapping[str, ExternalAuthorization]:
    """What each route asks, by the route's IRI."""
    named: dict[tuple[str, str], list[str]] = defaultdict(list)
    for field in fields:
        named[field.external, field.property].append(field.field.lower())
    found: dict[str, ExternalAuthorization] = {}
    for row in rows:
        iri = row.external
        upstream = reading.known(iri, AGW.authorizationService, row.service, upstreams, "agw:BackendService")
        if row.route in found or upstream is None:  # which the shapes see to
            continue
        standard = ExternalAuthorization(iri, "", AuthorizationFailureMode.CLOSED)
        found[row.route] = ExternalAuthorization(
            iri,
            upstream.iri,
            reading.choice(
                iri,
                AGW.authorizationFailureMode,
                row.failure_mode,
                AuthorizationFailureMode,
                AuthorizationFailureMode.CLOSED,
            ),
            row.path_prefix or "",
            _bounded(iri, AGW.authorizationTimeout, row.timeout, standard.timeout_seconds, _MOST_SECONDS, reading),
            tuple(sorted(set(named.get((iri, AGW.sendsField), standard.sends)))),
            tuple(sorted(set(named.get((iri, AGW.takesField), ())))),
            reading.boolean(iri, AGW.passesDenial, row.passes_denial, standard.passes_denial),
            _bounded(iri, AGW.verdictLifetime, row.lifetime, 0.0, _LONGEST_SECONDS, reading) or None,
        )
    return found


def _bounded(iri: str, term: str, text: str | None, default: float, most: float, reading: Reading) -> float:
    seconds = reading.seconds(iri, term, text, default)
    if seconds > most:
        reading.note(
            "duration-too-long",
            f"{name_of(iri)}: agw:{name_of(term)} is {seconds:g} s",
            iri,
            term,
            text,
            allowed=f"at most {most:g} seconds",
        )
    return seconds
