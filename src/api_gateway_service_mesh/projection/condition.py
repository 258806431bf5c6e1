"""Header and cookie matches of policies (``agw:steeredBy`` and its like)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import ConditionSource, RequestCondition, ValueKind
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["RequestConditionRow", "request_conditions"]


@dataclass(frozen=True, slots=True)
class RequestConditionRow:
    """``request_condition.rq``."""

    holder: str
    condition: str
    header: str | None
    cookie: str | None
    kind: str | None
    header_value: str | None
    cookie_value: str | None


def request_conditions(
    rows: Iterable[RequestConditionRow], reading: Reading
) -> Mapping[str, tuple[RequestCondition, ...]]:
    """The conditions of each policy, by the policy's IRI."""
    found: dict[str, dict[str, RequestCondition]] = defaultdict(dict)
    for row in rows:
        iri, cookie = row.condition, row.cookie
        if row.header is None and cookie is None:
            reading.note(
                "condition-without-name",
                "a condition needs the name of a header or of a cookie",
                iri,
                remedy="make it an agw:HeaderMatch with agw:headerName, or an agw:CookieMatch with agw:cookieName",
            )
            continue
        kind = reading.choice(iri, AGW.valueMatchType, row.kind, ValueKind, ValueKind.EXACT)
        stated = row.cookie_value if cookie is not None else row.header_value
        value = "" if kind is ValueKind.PRESENT else stated or ""
        if row.header is not None:
            condition = RequestCondition(iri, ConditionSource.HEADER, row.header.lower(), kind, value)
        else:
            condition = RequestCondition(iri, ConditionSource.COOKIE, cookie or "", kind, value)
        found[row.holder].setdefault(iri, condition)
    return {holder: tuple(by_iri.values()) for holder, by_iri in found.items()}
