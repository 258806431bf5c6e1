"""``/console``: one page that shows the running gateway, asks it and takes it back.

The page is static and knows nothing: whatever it shows it fetches from the admin port with the credentials of whoever
looks at it, so its files are given out without a token. Nothing in them comes from elsewhere, and the policy sent with
them lets nothing else in: no script that is not one of these files runs, whatever stands in the graph.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["CONSOLE_PATHS", "console_routes", "harden"]

_PAGE: Final = Path(__file__).resolve().parent / "page"
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_POLICY: Final = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_FILES: Final = tuple(sorted(path.name for path in _PAGE.iterdir() if path.suffix in _TYPES))

CONSOLE_PATHS: Final = frozenset({"/console", *(f"/console/{name}" for name in _FILES if name != "index.html")})
"""What is given out to anyone who reaches the port."""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    etag: str


@cache
def _file(name: str) -> _File:
    path = _PAGE / name
    body = path.read_bytes()
    return _File(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:32])


def console_routes() -> list[web.RouteDef]:
    """The routes of the page and its files."""
    return [web.get(path, _give) for path in sorted(CONSOLE_PATHS)]


async def _give(request: web.Request) -> web.Response:
    file = _file("index.html" if request.path == "/console" else request.path.removeprefix("/console/"))
    response = web.Response(status=200, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.etag = file.etag
    if any(known.value in (file.etag, "*") for known in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.content_type, response.charset = file.media_type, "utf-8"
    response.body = file.body
    return response


async def harden(_request: web.Request, response: web.StreamResponse) -> None:
    """On every answer of the admin port: a browser takes it for what it says it is, and for nothing else."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
