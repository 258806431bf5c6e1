"""What a CORS policy says to a page of another origin (Fetch standard, "CORS protocol").

A preflight speaks of a request that is still to come, so it belongs to the route of that request (`routed`), whatever
takes OPTIONS itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from api_gateway_service_mesh.model import Cors, Route

from .decision import ExplainRequest
from .entry import RouteEntry
from .part import Part, cite
from .table import RoutingTable

__all__ = ["CorsRules", "cors_part", "preflight_method", "routed"]

_BELOW: Final = re.compile(r"([0-9a-z_-]+\.)+")
_SIMPLE: Final = ("GET", "HEAD", "POST")


class CorsRules:
    """A policy as it holds for a route that states `methods` (none: any)."""

    def __init__(self, cors: Cors, methods: tuple[str, ...] = ()) -> None:
        self.cors = cors
        self.methods = cors.methods or tuple(sorted(methods)) or _SIMPLE
        self.anybody = "*" in cors.origins
        self._exact = frozenset(origin for origin in cors.origins if "*" not in origin)
        parts = (origin.split("*.", 1) for origin in cors.origins if "://*." in origin)
        self._below = tuple((start, end) for start, end in parts)
        self._headers = frozenset(cors.headers)

    def admits(self, origin: str) -> bool:
        """Whether pages of `origin`, as browsers send it, may read answers."""
        if self.anybody or origin in self._exact:
            return True
        for start, end in self._below:
            if origin.startswith(start) and origin.endswith(end):
                between = origin[len(start) : len(origin) - len(end)]
                if _BELOW.fullmatch(between):
                    return True
        return False

    def objection(self, origin: str, method: str, headers: str) -> str | None:
        """Why a preflight is refused, as a sentence; None: it is not. `headers`: the value of
        Access-Control-Request-Headers, "" without."""
        if not self.admits(origin):
            return f"pages of {origin} may not call this"
        if method not in self.methods:
            return f"pages may call this with {', '.join(self.methods)}, not with {method}"
        for part in headers.split(","):
            name = part.strip(" \t").lower()
            if name and name not in self._headers and (name == "authorization" or "*" not in self._headers):
                return f"pages may not send the header field {name} here"
        return None


def preflight_method(method: str, field: Callable[[str], str | None]) -> str | None:
    """The method that a preflight asks about; None: it is none (Fetch, "CORS-preflight request")."""
    if method != "OPTIONS" or field("origin") is None:
        return None
    return field("access-control-request-method")


def routed(
    table: RoutingTable, host: str, method: str, path: str, query: str, headers: Mapping[str, str]
) -> RouteEntry | None:
    """As `RoutingTable.find`; but a preflight goes to the route that takes the request which it asks about, where that
    has a CORS policy. No other route's policy speaks for it."""
    entry = table.find(host, method, path, query, headers)
    asked = preflight_method(method, headers.get)
    meant = table.find(host, asked, path, query, headers) if asked is not None else None
    if meant is None or meant is entry:
        return entry
    if meant.route.cors is not None:
        return meant
    return None if entry is not None and entry.route.cors is not None else entry


def cors_part(route: Route, cors: Cors, request: ExplainRequest | None) -> Part:
    """Who may call how; of a preflight also the answer."""
    rules = CorsRules(cors, route.match.methods)
    cited = [cite(route.iri, "hasCors", cors.iri)]
    cited += [cite(cors.iri, "allowedOrigin", origin) for origin in cors.origins]
    cited += [cite(cors.iri, "allowedMethod", method) for method in cors.methods]
    cited += [cite(cors.iri, "allowedHeader", name) for name in cors.headers]
    cited += [cite(cors.iri, "exposedHeader", name) for name in cors.exposed]
    text = f"pages of {' or '.join(cors.origins) or 'nowhere'}, with {', '.join(rules.methods)}"
    if cors.headers:
        text += f", sending {', '.join(cors.headers)}"
    if cors.exposed:
        text += f", reading {', '.join(cors.exposed)}"
    if cors.credentials:
        cited.append(cite(cors.iri, "allowCredentials", "true"))
        text += ", with credentials"
    if request is not None:
        text += _verdict(rules, request)
    return Part("CORS", cors.iri, text, tuple(cited))


def _verdict(rules: CorsRules, request: ExplainRequest) -> str:
    fields = request.fields
    origin, asked = fields.get("origin"), preflight_method(request.method, fields.get)
    if origin is None:
        return ""
    if asked is None:
        return "" if rules.admits(origin) else f"; no page of {origin} gets to see the answer"
    objection = rules.objection(origin, asked, fields.get("access-control-request-headers", ""))
    return "; answers the preflight 204" if objection is None else f"; answers the preflight 403: {objection}"
