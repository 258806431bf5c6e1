"""Predicates of requests, twice: as predicates of a match tree, and as Envoy's header matchers.

Envoy's routes can only ask for header fields. What else they have to know is put into fields before a request is routed
(`EARLY`): its path, the query parameters that some route asks for, and where it comes from. What a client writes there
is overwritten, and no backend sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from api_gateway_service_mesh.model import ConditionSource, HeaderMatch, QueryMatch, RequestCondition, Route, ValueKind

from .typed import MATCHER, Json, typed

__all__ = [
    "CLIENT_FIELD",
    "PATH_FIELD",
    "all_of",
    "cidr_ranges",
    "early_fields",
    "from_addresses",
    "header_input",
    "header_matcher",
    "is_in",
    "predicate",
    "regex_predicate",
]

PATH_FIELD: Final = "x-agw-path"
"""The path without query, and one more slash (see `match`)."""

CLIENT_FIELD: Final = "x-agw-client"
"""The peer's address."""

_IP: Final = "envoy.extensions.matching.input_matchers.ip.v3.Ip"

Predicate = HeaderMatch | QueryMatch | RequestCondition


def header_input(name: str) -> Json:
    """A field of the request as the input of a match tree."""
    return {"name": name, "typed_config": typed(f"{MATCHER}.HttpRequestHeaderMatchInput", header_name=name)}


def early_fields(routes: Iterable[Route]) -> dict[str, str]:
    """The fields that requests get before they are routed, each with Envoy's command for its value."""
    made = {PATH_FIELD: "%PATH(NQ)%/"}
    asked = {match.name for route in routes for match in route.match.query}
    made |= {_query_field(name): f"%QUERY_PARAM({name})%" for name in sorted(asked)}
    if any(route.maintenance is not None and route.maintenance.bypass_addresses for route in routes):
        made[CLIENT_FIELD] = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
    return made


def _query_field(name: str) -> str:
    return f"x-agw-query-{sha256(name.encode()).hexdigest()[:12]}"


def from_addresses(blocks: Sequence[str]) -> Json:
    """Requests of peers in one of some blocks (CIDR)."""
    matcher = {"name": "ip", "typed_config": typed(_IP, cidr_ranges=cidr_ranges(blocks), stat_prefix="bypass")}
    return {"single_predicate": {"input": header_input(CLIENT_FIELD), "custom_match": matcher}}


def cidr_ranges(blocks: Sequence[str]) -> list[Json]:
    """Blocks, ``192.0.2.0/24`` or one address, as Envoy writes them."""
    parts = [block.partition("/") for block in blocks]
    return [
        {"address_prefix": address, "prefix_len": int(length or (128 if ":" in address else 32))}
        for address, _, length in parts
    ]


def _regex(text: str) -> Json:
    """An expression of a match tree; it must match the whole value."""
    return {"safe_regex": {"google_re2": {}, "regex": text}}


def predicate(match: Predicate) -> Json:
    """A header, query or cookie predicate."""
    if isinstance(match, QueryMatch):
        return _parameter(match)
    if isinstance(match, RequestCondition) and match.source is ConditionSource.COOKIE:
        return regex_predicate("cookie", _cookie(match))
    return {"single_predicate": {"input": header_input(match.name), "value_match": _value(match)}}


def _parameter(match: QueryMatch) -> Json:
    """A query parameter. Its field is empty when it is absent, so the target has to hold its name as well; Envoy
    decodes escapes and leaves a plus, which stands for a space."""
    there = regex_predicate(":path", rf"[^?]*\?(?:.*&)?{re.escape(match.name)}(?:[=&].*)?")
    if match.kind is ValueKind.PRESENT:
        return there
    field = _query_field(match.name)
    if match.kind is ValueKind.REGULAR_EXPRESSION:
        return all_of([there, regex_predicate(field, match.value)])
    spelt = list(dict.fromkeys((match.value, match.value.replace(" ", "+"))))
    return is_in(field, spelt) if match.value else all_of([there, is_in(field, spelt)])


def regex_predicate(header: str, expression: str) -> Json:
    """A field whose whole value an expression matches."""
    return {"single_predicate": {"input": header_input(header), "value_match": _regex(expression)}}


def is_in(header: str, values: Sequence[str]) -> Json:
    """A field that has one of some values."""
    found = [{"single_predicate": {"input": header_input(header), "value_match": {"exact": value}}} for value in values]
    return found[0] if len(found) == 1 else {"or_matcher": {"predicate": found}}


def all_of(predicates: Sequence[Json]) -> Json:
    """All of one predicate or more."""
    return predicates[0] if len(predicates) == 1 else {"and_matcher": {"predicate": list(predicates)}}


def _value(match: Predicate) -> Json:
    if match.kind is ValueKind.PRESENT:
        return _regex("(?s).*")
    return {"exact": match.value} if match.kind is ValueKind.EXACT else _regex(match.value)


def _cookie(condition: RequestCondition) -> str:
    """An expression for a whole Cookie field that holds such a cookie (RFC 6265 §5.4)."""
    if condition.kind is ValueKind.PRESENT:
        value = "[^;]*"
    elif condition.kind is ValueKind.EXACT:
        value = f'"?{re.escape(condition.value)}"?'
    else:
        value = f"(?:{condition.value})"
    return rf"(?:.*;\s*)?{re.escape(condition.name)}={value}\s*(?:;.*)?"


def header_matcher(condition: RequestCondition | HeaderMatch) -> Json:
    """The predicate as a ``HeaderMatcher`` (fault injection, access logs)."""
    if isinstance(condition, RequestCondition) and condition.source is ConditionSource.COOKIE:
        return {"name": "cookie", "string_match": {"safe_regex": {"regex": _cookie(condition)}}}
    if condition.kind is ValueKind.PRESENT:
        return {"name": condition.name, "present_match": True}
    if condition.kind is ValueKind.EXACT:
        return {"name": condition.name, "string_match": {"exact": condition.value}}
    return {"name": condition.name, "string_match": {"safe_regex": {"regex": condition.value}}}
