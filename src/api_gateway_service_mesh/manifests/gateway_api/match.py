"""Predicates as HTTPRoute matches. Gateway API's prefixes are by whole segments, as agw's; templates become regular
expressions, whose rank among other paths is each implementation's own."""

from __future__ import annotations

import re
from typing import Any, Final

import re2

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.cors import ASKED, preflight_methods
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.order import Item
from api_gateway_service_mesh.model import HeaderMatch, PathKind, QueryMatch, ValueKind
from api_gateway_service_mesh.routing import ANY_SEGMENT, PathPattern, RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

from .call import method_match

__all__ = ["METHODS", "call_matches", "matches", "preflights"]

#: What HTTPRouteMatch.method may be.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

# What an Exact or PathPrefix value may hold (HTTPPathMatch's own rules).
_PLAIN = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
_DOUBTFUL = ("//", "/./", "/../", "%2f", "%2F")
_LONGEST_PATH = 1024
_LONGEST_VALUE = 4096
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")


def matches(item: Item, findings: list[Finding]) -> list[dict[str, Any]] | None:
    """The alternatives that together say what `item` takes; None: it cannot be said, and that is among the findings."""
    entry, methods = item
    route = entry.route
    path = _path(entry.path)
    if len(path["value"]) > _LONGEST_PATH:
        message = f"{route.name}: Gateway API takes no path of more than {_LONGEST_PATH} characters"
        findings.append(lost(route.iri, AGW.routePath, message))
        return None
    if path["type"] == "RegularExpression":
        message = (
            f"{route.name}: Gateway API leaves it to its implementation whether it knows regular expressions, and how "
            "their paths rank among others"
        )
        findings.append(differs(route.iri, AGW.pathMatchType, message))
    common: dict[str, Any] = {"path": path}
    for field, tests, predicate in (
        ("headers", route.match.headers, AGW.matchesHeader),
        ("queryParams", route.match.query, AGW.matchesQueryParameter),
    ):
        values = _values(entry, tests, predicate, findings)
        if values is None:
            return None
        if values:
            common[field] = values
    strange = [method for method in methods if method not in METHODS]
    if strange:
        message = f"{route.name}: Gateway API knows no method {strange[0]}; its requests are not taken"
        findings.append(lost(route.iri, AGW.httpMethod, message))
    if not methods:
        return [common]
    return [{**common, "method": method} for method in methods if method in METHODS] or None


def call_matches(item: Item, findings: list[Finding]) -> list[dict[str, Any]] | None:
    """The same for a call of gRPC: GRPCRoute's own words."""
    entry, _ = item
    headers = _values(entry, entry.route.match.headers, AGW.matchesHeader, findings)
    if headers is None:
        return None
    return [{"method": method_match(item), **({"headers": headers} if headers else {})}]


def preflights(item: Item, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Beside what `item` takes, the preflights that ask about it; `found`: its matches."""
    entry, methods = item
    asked = [method for method in preflight_methods(entry.route, methods) if method in METHODS]
    if not asked or any(header["name"].lower() == ASKED for header in found[0].get("headers", ())):
        return []
    rest = {key: value for key, value in found[0].items() if key not in ("method", "headers")}
    stated = found[0].get("headers", [])
    return [
        {**rest, "headers": [*stated, {"type": "Exact", "name": ASKED, "value": method}], "method": "OPTIONS"}
        for method in asked
    ]


def _path(path: PathPattern) -> dict[str, str]:
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return {"type": "RegularExpression", "value": path.text}
    if path.kind is PathKind.EXACT:
        if _plain(path.text):
            return {"type": "Exact", "value": path.text}
        return {"type": "RegularExpression", "value": re2.escape(path.text)}
    stem = "".join(f"/{segment}" for segment in path.segments if segment != ANY_SEGMENT)
    if ANY_SEGMENT not in path.segments and _plain(stem or "/"):
        return {"type": "PathPrefix" if path.open_ended else "Exact", "value": stem or "/"}
    text = "".join("/[^/]+" if segment == ANY_SEGMENT else "/" + re2.escape(segment) for segment in path.segments)
    return {"type": "RegularExpression", "value": f"{text}(/.*)?" if path.open_ended else text}


def _plain(path: str) -> bool:
    return (
        path.startswith("/")
        and _PLAIN.fullmatch(path) is not None
        and not any(part in path for part in _DOUBTFUL)
        and not path.endswith(("/..", "/."))
    )


def _values(
    entry: RouteEntry,
    tests: tuple[HeaderMatch, ...] | tuple[QueryMatch, ...],
    predicate: str,
    findings: list[Finding],
) -> list[dict[str, str]] | None:
    """One predicate a name, as a list; None where what is left would take too much."""
    found: dict[str, dict[str, str]] = {}
    listed: list[HeaderMatch | QueryMatch] = [*tests]
    name = entry.route.name
    for test in sorted(listed, key=lambda test: (test.kind is ValueKind.PRESENT, test.name, test.value)):
        if test.name in found and test.kind is ValueKind.PRESENT:
            continue  # a value implies that it is present
        if test.name in found or not _NAME.fullmatch(test.name) or len(test.value) > _LONGEST_VALUE:
            message = f"{name}: Gateway API cannot ask for {test.name!r} in this way; the route is left out"
            findings.append(lost(entry.route.iri, predicate, message, "say it in one regular expression"))
            return None
        if test.kind is ValueKind.PRESENT:
            found[test.name] = {"type": "RegularExpression", "name": test.name, "value": ".*"}
        elif test.kind is ValueKind.EXACT and test.value:
            found[test.name] = {"type": "Exact", "name": test.name, "value": test.value}
        else:
            found[test.name] = {"type": "RegularExpression", "name": test.name, "value": test.value or "^$"}
    return list(found.values())
