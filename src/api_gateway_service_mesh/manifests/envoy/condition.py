"""Predicates of requests, twice: as predicates of a match tree, and as Envoy's header matchers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from api_gateway_service_mesh.model import ConditionSource, HeaderMatch, QueryMatch, RequestCondition, ValueKind

from .typed import MATCHER, Json, typed

__all__ = ["all_of", "header_input", "header_matcher", "is_in", "predicate", "regex_predicate", "unicode_regex"]

Predicate = HeaderMatch | QueryMatch | RequestCondition


def header_input(name: str) -> Json:
    """A field of the request as the input of a match tree."""
    return {"name": name, "typed_config": typed(f"{MATCHER}.HttpRequestHeaderMatchInput", header_name=name)}


def unicode_regex(text: str) -> Json:
    """An expression of a match tree; it must match the whole value."""
    return {"safe_regex": {"google_re2": {}, "regex": text}}


def predicate(match: Predicate) -> Json:
    """A header, query or cookie predicate."""
    if isinstance(match, QueryMatch):
        where = {
            "name": match.name,
            "typed_config": typed(f"{MATCHER}.HttpRequestQueryParamMatchInput", query_param=match.name),
        }
        return {"single_predicate": {"input": where, "value_match": _value(match)}}
    if isinstance(match, RequestCondition) and match.source is ConditionSource.COOKIE:
        return regex_predicate("cookie", _cookie(match))
    return {"single_predicate": {"input": header_input(match.name), "value_match": _value(match)}}


def regex_predicate(header: str, expression: str) -> Json:
    """A field whose whole value an expression matches."""
    return {"single_predicate": {"input": header_input(header), "value_match": unicode_regex(expression)}}


def is_in(header: str, values: Sequence[str]) -> Json:
    """A field that has one of some values."""
    found = [{"single_predicate": {"input": header_input(header), "value_match": {"exact": value}}} for value in values]
    return found[0] if len(found) == 1 else {"or_matcher": {"predicate": found}}


def all_of(predicates: Sequence[Json]) -> Json:
    """All of one predicate or more."""
    return predicates[0] if len(predicates) == 1 else {"and_matcher": {"predicate": list(predicates)}}


def _value(match: Predicate) -> Json:
    if match.kind is ValueKind.PRESENT:
        return unicode_regex("(?s).*")
    return {"exact": match.value} if match.kind is ValueKind.EXACT else unicode_regex(match.value)


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
