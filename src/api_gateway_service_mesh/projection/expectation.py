"""What is expected of requests (``agw:Expectation``); ``agw test`` looks at it, serving does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from api_gateway_service_mesh.model import Expectation

__all__ = ["ExpectationRow", "ExpectationValueRow", "expectations"]


@dataclass(frozen=True, slots=True)
class ExpectationRow:
    """``expectation.rq``."""

    expectation: str
    url: str
    method: str | None
    client: str | None
    route: str | None
    status: str | None
    refusal: str | None
    path: str | None
    location: str | None


@dataclass(frozen=True, slots=True)
class ExpectationValueRow:
    """``expectation_value.rq``: one of the fields besides the first is bound."""

    expectation: str
    header: str | None
    service: str | None
    policy: str | None
    no_policy: str | None
    not_route: str | None


def _parts(url: str) -> SplitResult:
    """A URL taken apart; one whose host is none is a path that no request has."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", url, "", "")


def expectations(rows: Iterable[ExpectationRow], values: Iterable[ExpectationValueRow]) -> tuple[Expectation, ...]:
    """Expectations, sorted by IRI. The shapes have refused what cannot be read."""
    several: dict[str, list[ExpectationValueRow]] = {}
    for value in values:
        several.setdefault(value.expectation, []).append(value)
    found: dict[str, Expectation] = {}
    for row in rows:
        mine = several.get(row.expectation, [])
        url = _parts(row.url)
        headers = (value.header.partition(":") for value in mine if value.header is not None)
        found[row.expectation] = Expectation(
            row.expectation,
            row.method or "GET",
            url.netloc,
            url.path,
            url.query,
            tuple((name.strip(), text.strip()) for name, _, text in headers),
            url.scheme or "http",
            row.client,
            row.route,
            tuple(value.not_route for value in mine if value.not_route is not None),
            int(row.status) if row.status is not None else None,
            row.refusal,
            tuple(value.service for value in mine if value.service is not None),
            tuple(value.policy for value in mine if value.policy is not None),
            tuple(value.no_policy for value in mine if value.no_policy is not None),
            row.path,
            row.location,
        )
    return tuple(found[iri] for iri in sorted(found))
