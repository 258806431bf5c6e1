"""Pages of other sites that may talk to the admin port from a browser (``--allow-origin``): a YASGUI, a dashboard.

Without it no answer has a CORS field, so a browser shows a page of another site nothing, and `access.writer` refuses
what such a page makes a browser send. A page of an origin that is named here is trusted like the console: with the
port's credential, which it must show itself (no cookie is ever one), or on a port that wants none, it may do all that
its visitor may do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, Origin

__all__ = ["ORIGINS", "is_allowed", "origins_of", "preflights", "shared"]

ORIGINS: Final[web.AppKey[frozenset[str]]] = web.AppKey("origins", frozenset)
_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_FIELDS: Final = "Accept, Authorization, Content-Type, If-Match, If-None-Match, Agw-Message, Agw-Source"
_SEEN: Final = "Agw-Revision, ETag, Location, Retry-After"
_SECONDS: Final = "600"
_PORTS: Final = {"http": 80, "https": 443}


def origins_of(stated: Iterable[str]) -> frozenset[str]:
    """The origins as browsers write them.

    Raises:
        AgwError: one is none: it has a path, no scheme, or is ``*`` or ``null``, which would let every page in.
    """
    found = set()
    for text in stated:
        try:
            url = urlsplit(text.strip().lower())
            port = url.port
        except ValueError:
            url, port = urlsplit(""), -1
        rest = url.path.strip("/") or url.query or url.fragment or url.username
        if url.scheme not in _PORTS or not url.hostname or rest or port == -1 or "*" in url.hostname:
            error = AgwError(
                f"{text[:100]!r} is no origin", remedy="write scheme, host and port: http://localhost:3000"
            )
            error.origin = Origin.CONFIG
            raise error
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        found.add(f"{url.scheme}://{host}" + ("" if port in (None, _PORTS[url.scheme]) else f":{port}"))
    return frozenset(found)


def is_allowed(request: web.Request) -> bool:
    """Whether a page of an allowed origin asks."""
    return request.headers.get("Origin", "") in request.app.get(ORIGINS, frozenset())


@web.middleware
async def preflights(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Answers what a browser asks beforehand, which never carries a credential."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers or not is_allowed(request):
        answer: web.StreamResponse = await handler(request)
        return answer
    fields = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _FIELDS,
        "Access-Control-Max-Age": _SECONDS,
    }
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        fields["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=fields)


async def shared(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer: the page may read it, if its origin is allowed."""
    if not request.app.get(ORIGINS):
        return
    response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Origin")))
    if is_allowed(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = _SEEN
