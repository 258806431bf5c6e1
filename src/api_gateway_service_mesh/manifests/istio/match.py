"""Predicates as Istio's ``HTTPMatchRequest``.

Envoy compares paths and RE2 expressions as agw does: whole, case counts, without the query. Istio's ``prefix`` is by
characters, so a prefix by whole segments is written as ``exact: /a`` and ``prefix: /a/``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import re2

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.cors import ASKED, preflight_methods
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.order import Item
from api_gateway_service_mesh.model import HeaderMatch, PathKind, QueryMatch, ValueKind
from api_gateway_service_mesh.routing import ANY_SEGMENT, PathPattern, RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["matches"]


def matches(item: Item, findings: list[Finding]) -> list[dict[str, Any]]:
    """The alternatives that together say what `item` takes; empty: everything."""
    entry, methods = item
    common: dict[str, Any] = {}
    if len(methods) == 1:
        common["method"] = {"exact": methods[0]}
    elif methods:
        common["method"] = {"regex": "|".join(re2.escape(method) for method in methods)}
    if entry.route.match.headers:
        common["headers"] = _values(entry, entry.route.match.headers, findings)
    if entry.route.match.query:
        common["queryParams"] = _values(entry, entry.route.match.query, findings)
    made = [{"uri": uri, **common} for uri in _uris(entry.path)]
    asked = preflight_methods(entry.route, methods)
    if asked and ASKED not in common.get("headers", {}):
        about = {"exact": asked[0]} if len(asked) == 1 else {"regex": "|".join(re2.escape(method) for method in asked)}
        fields = {**common.get("headers", {}), ASKED: about}
        made += [{**each, "method": {"exact": "OPTIONS"}, "headers": fields} for each in made]
    return made


def _uris(path: PathPattern) -> list[dict[str, str]]:
    if path.kind is PathKind.EXACT:
        return [{"exact": path.text}]
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return [{"regex": path.text}]
    if ANY_SEGMENT not in path.segments:
        stem = "".join(f"/{segment}" for segment in path.segments)
        return [{"exact": stem}, {"prefix": f"{stem}/"}] if stem else [{"prefix": "/"}]
    stem = "".join("/[^/]+" if segment == ANY_SEGMENT else "/" + re2.escape(segment) for segment in path.segments)
    return [{"regex": f"{stem}(/.*)?" if path.open_ended else stem}]


def _values(
    entry: RouteEntry, tests: tuple[HeaderMatch, ...] | tuple[QueryMatch, ...], findings: list[Finding]
) -> dict[str, dict[str, str]]:
    """A map from name to predicate; Istio has room for one a name."""
    found: dict[str, dict[str, str]] = {}
    listed: list[HeaderMatch | QueryMatch] = [*tests]
    for test in sorted(listed, key=lambda test: (test.kind is ValueKind.PRESENT, test.name, test.value)):
        is_header = isinstance(test, HeaderMatch)
        predicate = AGW.matchesHeader if is_header else AGW.matchesQueryParameter
        if test.name in found:
            if test.kind is not ValueKind.PRESENT:  # a value implies that it is present
                message = f"{entry.route.name}: Istio takes one predicate for {test.name!r}; {test.value!r} is left out"
                findings.append(lost(entry.route.iri, predicate, message, "say it in one regular expression"))
            continue
        if test.kind is ValueKind.PRESENT:
            # A header's empty predicate means presence; a query parameter's would mean an empty value.
            found[test.name] = {} if is_header else {"regex": ".*"}
        elif test.kind is ValueKind.EXACT:
            found[test.name] = {"exact": test.value}
        else:
            found[test.name] = {"regex": test.value}
        if not is_header and test.kind is not ValueKind.PRESENT and quote(test.value) != test.value:
            message = (
                f"{entry.route.name}: Envoy compares the query parameter {test.name!r} as sent, agw decodes it first"
            )
            findings.append(differs(entry.route.iri, predicate, message))
    return found
