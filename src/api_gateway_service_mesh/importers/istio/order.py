"""Where "the first that holds" and "the most specific" choose differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api_gateway_service_mesh.importers.draft import RouteDraft
from api_gateway_service_mesh.importers.part import Findings
from api_gateway_service_mesh.model import HeaderMatch, PathKind, QueryMatch, Route, RouteMatch, ValueKind
from api_gateway_service_mesh.routing import ANY_HOST, MethodRank, RouteEntry
from api_gateway_service_mesh.routing.path import path_holds
from api_gateway_service_mesh.routing.witness import witnesses

__all__ = ["report_order"]

_MOST: Final = 500  # routes of one list; pairs are looked at


def report_order(routes: Sequence[RouteDraft], findings: Findings) -> None:
    """Report each route of a list that agw asks before an earlier one which holds for the same requests, and does
    something else with them."""
    if len(routes) > _MOST:
        message = f"more than {_MOST} routes in one list: whether agw keeps their order was not looked at"
        findings.differs(routes[0].place, message, "compare with agw explain, or split the list")
        return
    entries = [_entry(route) for route in routes]
    ranks = [_rank(entry) for entry in entries]
    for later, route in enumerate(routes):
        for earlier in range(later):
            if ranks[later] >= ranks[earlier] or route.stated == routes[earlier].stated:
                continue
            seen = _both(entries[earlier], entries[later])
            if seen is not None:
                message = f"{seen}: Istio asks {routes[earlier].wanted} ({routes[earlier].place.line}) first, agw "
                message += f"{route.wanted}, which is more specific"
                findings.differs(route.place, message, "make the route that shall win the more specific one")
                break


def _entry(route: RouteDraft) -> RouteEntry:
    headers = tuple(HeaderMatch("", test.name, test.kind, test.value) for test in route.headers)
    query = tuple(QueryMatch("", test.name, test.kind, test.value) for test in route.query)
    match = RouteMatch(route.path, methods=route.methods, headers=headers, query=query)
    return RouteEntry(Route("urn:agw:imported", route.wanted, match))


def _rank(entry: RouteEntry) -> tuple[object, ...]:
    match = entry.route.match
    method = MethodRank.STATED if entry.methods else MethodRank.ANY
    return (entry.path_key, method, -len(match.headers), -len(match.query))


def _both(one: RouteEntry, other: RouteEntry) -> str | None:
    """A request that both hold for, as far as can be seen."""
    if one.path.kind is other.path.kind is PathKind.EXACT and one.path.text != other.path.text:
        return None  # most pairs of a long list
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return None
    mine, others = one.route.match, other.route.match
    for tests, rest in ((mine.headers, others.headers), (mine.query, others.query)):
        asked = {test.name: test.value for test in tests if test.kind is ValueKind.EXACT}
        if any(test.kind is ValueKind.EXACT and asked.get(test.name, test.value) != test.value for test in rest):
            return None
    method = next(iter(set(other.methods) & set(one.methods)), next(iter((*other.methods, *one.methods)), "GET"))
    for witness in (*witnesses(other, ANY_HOST, method), *witnesses(one, ANY_HOST, method)):
        if path_holds(one.path, witness.path) and path_holds(other.path, witness.path):
            return f"{witness.method} {witness.path}"
    return None
