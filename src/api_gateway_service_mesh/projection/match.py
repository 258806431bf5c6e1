"""What a request must look like: path kinds told by their text, headers, query parameters."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import HeaderMatch, PathKind, PathMatch, QueryMatch, ValueKind
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["HeaderMatchRow", "QueryMatchRow", "header_matches", "path_kind", "path_match", "query_matches"]

_PARAMETER = re.compile(r"[{}]")


@dataclass(frozen=True, slots=True)
class HeaderMatchRow:
    """``header_match.rq``."""

    route: str
    header_match: str
    name: str
    kind: str | None
    value: str | None


@dataclass(frozen=True, slots=True)
class QueryMatchRow:
    """``query_match.rq``."""

    route: str
    query_match: str
    name: str
    kind: str | None
    value: str | None


def path_kind(text: str) -> PathKind:
    """The kind of a path that states none: braces make a template (``/*`` may end it), else a trailing ``/*`` a prefix.

    A regular expression is always said to be one.
    """
    if _PARAMETER.search(text):
        return PathKind.TEMPLATE
    return PathKind.PREFIX if text.endswith("/*") else PathKind.EXACT


def path_match(route: str, text: str, kind: str | None, reading: Reading) -> PathMatch:
    """The path predicate in normal form."""
    found = path_kind(text)
    if kind is not None:
        found = reading.choice(route, AGW.pathMatchType, kind, PathKind, found)
    if found is PathKind.PREFIX:
        text = text.removesuffix("/*").rstrip("/")
    return PathMatch(found, text)


def header_matches(rows: Iterable[HeaderMatchRow], reading: Reading) -> Mapping[str, tuple[HeaderMatch, ...]]:
    """The header predicates of each route, by route IRI."""
    found: dict[str, dict[str, HeaderMatch]] = defaultdict(dict)
    for row in rows:
        kind = reading.choice(row.header_match, AGW.valueMatchType, row.kind, ValueKind, ValueKind.EXACT)
        value = _value(row.header_match, AGW.headerValue, kind, row.value, reading)
        found[row.route].setdefault(row.header_match, HeaderMatch(row.header_match, row.name.lower(), kind, value))
    return {route: tuple(by_iri.values()) for route, by_iri in found.items()}


def query_matches(rows: Iterable[QueryMatchRow], reading: Reading) -> Mapping[str, tuple[QueryMatch, ...]]:
    """The query-parameter predicates of each route, by route IRI."""
    found: dict[str, dict[str, QueryMatch]] = defaultdict(dict)
    for row in rows:
        kind = reading.choice(row.query_match, AGW.valueMatchType, row.kind, ValueKind, ValueKind.EXACT)
        value = _value(row.query_match, AGW.parameterValue, kind, row.value, reading)
        found[row.route].setdefault(row.query_match, QueryMatch(row.query_match, row.name, kind, value))
    return {route: tuple(by_iri.values()) for route, by_iri in found.items()}


def _value(iri: str, term: str, kind: ValueKind, value: str | None, reading: Reading) -> str:
    if kind is ValueKind.PRESENT:
        return ""
    if value is None:
        reading.note(
            "missing-value",
            "a predicate of kind Exact or RegularExpression needs a value to compare with",
            iri,
            term,
            remedy='state the value, or agw:valueMatchType "Present" when any value will do',
        )
    return value or ""
