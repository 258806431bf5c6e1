"""What a request must look like for a route to take it (design: route matching, after the Gateway API)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HeaderMatch", "PathKind", "PathMatch", "QueryMatch", "RouteMatch", "ValueKind"]


class PathKind(StrEnum):
    """``agw:pathMatchType``."""

    EXACT = "Exact"
    TEMPLATE = "Template"
    PREFIX = "Prefix"
    REGULAR_EXPRESSION = "RegularExpression"


class ValueKind(StrEnum):
    """``agw:valueMatchType``: how a header or query parameter is compared."""

    EXACT = "Exact"
    REGULAR_EXPRESSION = "RegularExpression"
    PRESENT = "Present"


@dataclass(frozen=True, slots=True)
class PathMatch:
    """A path predicate. ``text`` is normal: a template keeps its ``{names}``, a prefix has no trailing ``/*`` or ``/``
    (the prefix of everything is the empty string), a regular expression is RE2 and must match the whole path."""

    kind: PathKind
    text: str


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A header predicate (``agw:HeaderMatch``); ``name`` is lower case, ``value`` is "" for ``Present``."""

    iri: str
    name: str
    kind: ValueKind = ValueKind.EXACT
    value: str = ""


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """A query-parameter predicate (``agw:QueryParameterMatch``), compared after percent-decoding."""

    iri: str
    name: str
    kind: ValueKind = ValueKind.EXACT
    value: str = ""


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """All predicates of a route; each must hold. Empty ``hosts`` or ``methods`` means any."""

    path: PathMatch
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    priority: int = 0
