"""Which pages of other origins may call (``agw:CorsPolicy``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import Cors
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["CorsRow", "CorsValueRow", "cors_policies"]

_LONGEST_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class CorsRow:
    """``cors.rq``."""

    route: str
    cors: str
    credentials: str | None
    max_age: str | None


@dataclass(frozen=True, slots=True)
class CorsValueRow:
    """``cors_value.rq``."""

    cors: str
    property: str
    value: str


def cors_policies(rows: Iterable[CorsRow], values: Iterable[CorsValueRow], reading: Reading) -> Mapping[str, Cors]:
    """The CORS policy of each route, by route IRI."""
    stated: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in values:
        lower = row.property != AGW.allowedMethod
        stated[row.cors, row.property].add(row.value.lower() if lower else row.value)
    made: dict[str, Cors] = {}
    found: dict[str, Cors] = {}
    for policy in rows:
        iri = policy.cors
        if policy.route in found:
            continue
        if iri not in made:
            made[iri] = Cors(
                iri,
                tuple(sorted(stated[iri, AGW.allowedOrigin])),
                tuple(sorted(stated[iri, AGW.allowedMethod])),
                tuple(sorted(stated[iri, AGW.allowedHeader])),
                tuple(sorted(stated[iri, AGW.exposedHeader])),
                reading.boolean(iri, AGW.allowCredentials, policy.credentials),
                _max_age(iri, policy.max_age, reading),
            )
        found[policy.route] = made[iri]
    return found


def _max_age(iri: str, text: str | None, reading: Reading) -> int | None:
    seconds = reading.seconds(iri, AGW.preflightMaxAge, text, None)
    if seconds is None:
        return None
    if seconds > _LONGEST_SECONDS:
        message = f"{name_of(iri)}: agw:preflightMaxAge is {seconds:g} s"
        reading.note("duration-too-long", message, iri, AGW.preflightMaxAge, text, allowed="at most a day")
    return int(seconds)
