"""Predicates as Consul's ``ServiceRouteHTTPMatch``.

Its router is one list for all hosts: hosts are matched by the field that names them. Its prefixes are by characters, so
a prefix by whole segments is an exact path and a prefix ``…/``."""

from __future__ import annotations

from typing import Any

import re2

from api_gateway_service_mesh.manifests.order import Item
from api_gateway_service_mesh.model import HeaderMatch, PathKind, QueryMatch, ValueKind
from api_gateway_service_mesh.routing import ANY_HOST, ANY_SEGMENT, HostKey, PathPattern

__all__ = ["Path", "matches", "paths"]

#: ``Exact``, ``Prefix`` or ``Regex``, and the text.
Path = tuple[str, str]


def matches(item: Item, host: HostKey) -> list[tuple[Path, dict[str, Any]]]:
    """The alternatives that together say what `item` takes of a host's requests, each with its path."""
    entry, methods = item
    common: dict[str, Any] = {}
    headers = [_value(test) for test in entry.route.match.headers]
    if host != ANY_HOST:
        headers.insert(0, {"Name": ":authority", "Regex": _host(host)})
    if headers:
        common["Header"] = headers
    if entry.route.match.query:
        common["QueryParam"] = [_value(test) for test in entry.route.match.query]
    if methods:
        common["Methods"] = list(methods)
    return [((kind, text), {f"Path{kind}": text, **common}) for kind, text in paths(entry.path)]


def _host(host: HostKey) -> str:
    kind, _, name = host
    stem = re2.escape(name)
    return f"{stem if kind == 0 else f'.+{stem}'}(:[0-9]+)?"


def paths(path: PathPattern) -> list[Path]:
    """A path predicate as one or two of Consul's."""
    if path.kind is PathKind.EXACT:
        return [("Exact", path.text)]
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return [("Regex", path.text)]
    if ANY_SEGMENT not in path.segments:
        stem = "".join(f"/{segment}" for segment in path.segments)
        if not path.open_ended:
            return [("Exact", stem)]
        return [("Exact", stem), ("Prefix", f"{stem}/")] if stem else [("Prefix", "/")]
    stem = "".join("/[^/]+" if segment == ANY_SEGMENT else "/" + re2.escape(segment) for segment in path.segments)
    return [("Regex", f"{stem}(/.*)?" if path.open_ended else stem)]


def _value(test: HeaderMatch | QueryMatch) -> dict[str, Any]:
    if test.kind is ValueKind.PRESENT:
        return {"Name": test.name, "Present": True}
    if test.kind is ValueKind.EXACT and test.value:
        return {"Name": test.name, "Exact": test.value}
    return {"Name": test.name, "Regex": test.value or "^$"}
