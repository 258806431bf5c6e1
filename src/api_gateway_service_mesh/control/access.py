"""Who may use the admin port: anyone on loopback, a token's holder anywhere else.

On loopback the Host field must name loopback, or a page in a browser could reach the port under a name of its own
(DNS rebinding). Off loopback the port is not opened without a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import AgwError, ClientError, Origin

__all__ = ["AccessRefused", "admin_token", "guard", "is_loopback"]

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
    token = stated or os.environ.get("AGW_ADMIN_TOKEN")
    file = os.environ.get("AGW_ADMIN_TOKEN_FILE")
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


def guard(token: str | None) -> Any:
    """The middleware that lets requests in. Health probes need no token: orchestrators send none."""
    expected = b"" if token is None else token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Any) -> web.StreamResponse:
        if token is None:
            host = _host_name(request.headers.get("Host", ""))
            if not is_loopback(host):
                raise AccessRefused(
                    f"the admin port answers to loopback names only, not to {host[:100]!r}",
                    status=421,
                    problem="foreign-host",
                    remedy="use http://127.0.0.1 or http://localhost; AGW_ADMIN_TOKEN lifts this",
                )
        elif request.path not in _OPEN:
            scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
            right = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), expected)
            if scheme.lower() != "bearer" or not right:
                raise AccessRefused(
                    "the admin port wants its token",
                    status=401,
                    problem="unauthorized",
                    remedy="send Authorization: Bearer, with the token the gateway was started with",
                )
        response: web.StreamResponse = await handler(request)
        return response

    return check


def _host_name(field: str) -> str:
    if field.startswith("["):
        return field.partition("]")[0] + "]"
    return field.partition(":")[0]
