"""Header and query predicates of a route, compiled.

- Each predicate must hold; a regular expression must match the whole value.
- A header is looked up in lower case; repeated fields arrive joined (RFC 9110 §5.2), or the first of them.
- A query parameter is compared after percent-decoding (``+`` is a space); of a repeated one the first counts, as the
  Gateway API recommends (``HTTPQueryParamMatch.name``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.model import (
    ConditionSource,
    HeaderMatch,
    QueryMatch,
    RequestCondition,
    Route,
    RouteMatch,
    ValueKind,
)
from api_gateway_service_mesh.vocabulary import AGW

from .pattern import PatternSet, syntax_error

__all__ = ["Conditions", "ValueTest", "condition_findings", "conditions_of", "first_parameters"]


class ValueTest:
    """One predicate on a value that may be absent (None)."""

    __slots__ = ("_expected", "_pattern", "kind", "match", "name")

    def __init__(self, match: HeaderMatch | QueryMatch | RequestCondition) -> None:
        self.match = match
        self.name = match.name.lower() if isinstance(match, HeaderMatch) else match.name
        self.kind = match.kind
        self._expected = match.value
        self._pattern = PatternSet((match.value,)) if match.kind is ValueKind.REGULAR_EXPRESSION else None

    def holds(self, value: str | None) -> bool:
        """Whether the predicate holds for `value`."""
        if value is None:
            return False
        if self._pattern is not None:
            return bool(self._pattern.matching(value))
        return self.kind is ValueKind.PRESENT or value == self._expected


class Conditions:
    """All header and query predicates of one route."""

    __slots__ = ("headers", "query")

    def __init__(self, match: RouteMatch) -> None:
        self.headers = tuple(ValueTest(header) for header in match.headers)
        self.query = tuple(ValueTest(parameter) for parameter in match.query)

    def hold(self, headers: Mapping[str, str], query: str) -> bool:
        """Whether every predicate holds. `headers` is keyed in lower case; `query` is the raw text after ``?``."""
        for test in self.headers:
            if not test.holds(headers.get(test.name)):
                return False
        if self.query:
            parameters = first_parameters(query)
            for test in self.query:
                if not test.holds(parameters.get(test.name)):
                    return False
        return True


def conditions_of(route: Route) -> Conditions | None:
    """The compiled predicates, or None for a route that has none and so costs nothing to ask."""
    return Conditions(route.match) if route.match.headers or route.match.query else None


def first_parameters(query: str) -> dict[str, str]:
    """Name to first value of a query string, decoded."""
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, value)
    return parameters


def condition_findings(route: Route) -> list[Finding]:
    """Violations for expressions that RE2 refuses."""
    return [
        *_expression_findings(route, route.match.headers, "header", AGW.headerValue),
        *_expression_findings(route, route.match.query, "query parameter", AGW.parameterValue),
        *_expression_findings(route, _of_policies(route, ConditionSource.HEADER), "header", AGW.headerValue),
        *_expression_findings(route, _of_policies(route, ConditionSource.COOKIE), "cookie", AGW.cookieValue),
    ]


def _of_policies(route: Route, source: ConditionSource) -> list[RequestCondition]:
    """What the policies of a route ask for themselves."""
    conditions = [condition for split in route.splits for condition in split.steered_by]
    conditions += [condition for fault in route.faults for condition in fault.triggered_by]
    conditions += route.maintenance.bypassed_by if route.maintenance is not None else ()
    return [condition for condition in conditions if condition.source is source]


def _expression_findings(
    route: Route, matches: Iterable[HeaderMatch | QueryMatch | RequestCondition], what: str, predicate: str
) -> list[Finding]:
    return [
        Finding(
            code="invalid-regular-expression",
            message=f"{route.name}: {match.value!r} for the {what} {match.name!r} is not RE2: {error}",
            subject=match.iri,
            predicate=predicate,
            value=match.value,
            allowed="RE2 syntax (no look-around, no back-references)",
            remedy="correct the expression; it has to match the whole value",
        )
        for match in matches
        if match.kind is ValueKind.REGULAR_EXPRESSION and (error := syntax_error(match.value)) is not None
    ]
