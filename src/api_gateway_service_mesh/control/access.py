"""Who may use the admin port: anyone on loopback, a token's holder anywhere else; and who may change something.

Two roles: ``write`` (who holds the token, or is on loopback where there is none) and ``read`` (who holds the read
token, which lets one look at everything and change nothing). Others come by names of their own, with a token or a
client certificate (`principals`).

On loopback the Host field must name loopback, or a page in a browser could reach the port under a name of its own
(DNS rebinding). Off loopback the port is not opened without a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import ssl
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ClientError, Origin
from api_gateway_service_mesh.model import AuditedKind

from .allowed_origins import is_allowed
from .audit import Audit
from .principals import Principal, Principals

__all__ = [
    "AccessRefused",
    "Principal",
    "admin_token",
    "guard",
    "is_loopback",
    "principal",
    "read_token",
    "recorded",
    "writer",
]

_PRINCIPAL = "agw.principal"
_KINDS = {401: AuditedKind.AUTHENTICATION, 403: AuditedKind.AUTHORIZATION, 421: AuditedKind.AUTHENTICATION}
_OPEN = frozenset({"/livez", "/readyz", "/startupz"})


class AccessRefused(ClientError):
    """No token, a wrong one, or a Host that is not ours."""

    def __init__(self, message: str, *, status: int, problem: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.problem = problem


def admin_token(stated: str | None = None) -> str | None:
    """The token: `stated`, ``AGW_ADMIN_TOKEN``, or the content of the file ``AGW_ADMIN_TOKEN_FILE``.

    Raises:
        AgwError: the file cannot be read, or the token has fewer than 16 characters.
    """
    return _token(stated, "AGW_ADMIN_TOKEN")


def read_token() -> str | None:
    """The token of those who may only look: ``AGW_ADMIN_READ_TOKEN``, or the file ``AGW_ADMIN_READ_TOKEN_FILE`` names.

    Raises:
        AgwError: as for `admin_token`.
    """
    return _token(None, "AGW_ADMIN_READ_TOKEN")


def _token(stated: str | None, variable: str) -> str | None:
    token = stated or os.environ.get(variable)
    file = os.environ.get(f"{variable}_FILE")
    if not token and file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _config(f"the admin token's file {file} cannot be read: {error}") from None
    if token and len(token) < 16:
        raise _config("the admin token has fewer than 16 characters", "make one with: openssl rand -hex 24")
    return token or None


def _config(message: str, remedy: str | None = None) -> AgwError:
    error = AgwError(message, remedy=remedy)
    error.origin = Origin.CONFIG
    return error


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without port) can only be this machine."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def principal(request: web.Request) -> Principal:
    """Who asks."""
    found: Principal = request[_PRINCIPAL]
    return found


def writer(request: web.Request) -> Principal:
    """Who asks, if changes are allowed to them.

    A page of another site that a browser shows may not change anything either, whatever it makes the browser send,
    unless its origin is allowed (`allowed_origins`).

    Raises:
        AccessRefused: they are not.
    """
    found = principal(request)
    if not found.may_write:
        raise AccessRefused(
            "this token lets one look, not change", status=403, problem="read-only-token", remedy="use the admin token"
        )
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.headers.get("Host", "")
    foreign = foreign or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if foreign and not is_allowed(request):
        raise AccessRefused(
            "a page of another site may not change the configuration",
            status=403,
            problem="foreign-page",
            remedy="if it is a tool of yours, start the gateway with --allow-origin and the page's origin",
        )
    return found


def guard(
    token: str | None,
    reading: str | None = None,
    public: frozenset[str] = frozenset(),
    principals: Principals | None = None,
) -> Any:
    """The middleware that lets requests in, by the token or the one for `reading`. Health probes need none:
    orchestrators send none; nor do reads of the paths in `public`, of which nothing is told that is not the same
    everywhere."""
    named = principals or Principals()
    # Digests are compared, so that neither how near a guess was nor how long the token is can be told by the time, and
    # no request handler has the token at hand.
    expected = b"" if token is None else sha256(token.encode()).digest()
    looking = b"" if reading is None else sha256(reading.encode()).digest()
    unguarded = _OPEN | public

    @web.middleware
    async def check(request: web.Request, handler: Any) -> web.StreamResponse:
        if token is None and not named:
            host = _host_name(request.headers.get("Host", ""))
            if not is_loopback(host):
                raise AccessRefused(
                    f"the admin port answers to loopback names only, not to {host[:100]!r}",
                    status=421,
                    problem="foreign-host",
                    remedy="use http://127.0.0.1 or http://localhost; AGW_ADMIN_TOKEN lifts this",
                )
            request[_PRINCIPAL] = Principal("loopback", may_write=True)
        elif request.path not in unguarded:
            scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
            given = shown.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b""
            digest = sha256(given).digest()
            full, partly = hmac.compare_digest(digest, expected), hmac.compare_digest(digest, looking)
            who = named.by_token(given) or named.by_certificate(_secured(request))
            if who is not None:
                request[_PRINCIPAL] = who
                response: web.StreamResponse = await handler(request)
                return response
            if not given or not (full or partly):
                raise AccessRefused(
                    "the admin port wants its token",
                    status=401,
                    problem="unauthorized",
                    remedy="send Authorization: Bearer, with the token the gateway was started with",
                )
            request[_PRINCIPAL] = Principal("admin" if full else "reader", may_write=full)
        response = await handler(request)
        return response  # noqa: RET504 - its type is told above

    return check


def recorded(audit: Audit) -> Any:
    """The middleware, outside of `guard`, that has `audit` keep who was refused, and why: never what they showed."""

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except AccessRefused as refused:
            kind = _KINDS.get(refused.status)
            if kind is not None:
                shown = refused.problem != "unauthorized" or "Authorization" in request.headers
                who: Principal | None = request.get(_PRINCIPAL)
                audit.turned_away(
                    kind,
                    refused.problem if shown else "no-credential",
                    method=request.method,
                    path=request.path,
                    who=who.name if who is not None else None,
                    where=request.remote,
                )
            raise
        return response

    return record


def _secured(request: web.Request) -> ssl.SSLObject | None:
    transport = request.transport
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport is not None else None
    return secured


def _host_name(field: str) -> str:
    if field.startswith("["):
        return field.partition("]")[0] + "]"
    return field.partition(":")[0]
