"""Logins as a gate around authentication: who has a session goes on, browsers are sent to log in, others told so.

What the gateway keeps in cookies never reaches a backend (`session_cookie`). Only a browser that navigates is
redirected: what a page's script asks for, and every other client, gets 401.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.policies.renewal import RenewalBoard
from api_gateway_service_mesh.security.login import Login, Step

from .problem import WAIT, Direct, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .core import Core
    from .exchange import Exchange
    from .pipeline import Gate

__all__ = ["login_gate"]

_NO_STORE = b"Cache-Control: no-store\r\n"
_AUTHORIZATION = re.compile(rb"(?im)^Authorization[ \t]*:[^\r\n]*\r\n")


def login_gate(login: Login, core: Core, slots: Mapping[tuple[str, str], int], inner: Gate | None) -> Gate:
    """The gate of a route whose callers may log in with `login`, or show what `inner` takes."""
    iri = login.config.iri
    login.count = EventCounters(core.cells.view, slots["event", iri], core.worker).count
    login.board = RenewalBoard(core.cells.view, slots["renewal", iri], core.lock)
    return _LoginGate(login, inner).ask


class _LoginGate:
    def __init__(self, login: Login, inner: Gate | None) -> None:
        self._login = login
        self._inner = inner
        self._iri = login.config.iri
        self._callback = login.config.callback_path.encode("ascii")
        self._logout = login.config.logout_path.encode("ascii")

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Who is calling, or where to with them."""
        step = exchange.login_step
        if step is not None:
            exchange.login_step = None
            return self._after(exchange, step)
        login = self._login
        path, _, query = exchange.target_bytes.partition(b"?")
        shown = _cookies(exchange)
        if path == self._callback:
            login.complete(query.decode("ascii", "replace"), shown, _Then(exchange))
            return self._waiting(exchange)
        if path == self._logout:
            if exchange.block.header("sec-fetch-site") in ("cross-site", "same-site"):
                return self._refused("another site's page may not log anybody out")
            login.end(shown, _Then(exchange))
            return self._waiting(exchange)
        caller = login.caller(shown)
        if caller is not None:
            self._admit(exchange, caller.fields)
            exchange.caller = caller
            return None
        if self._inner is not None:
            refusal = self._inner(exchange)
            if refusal is WAIT:
                exchange.waits_at = self.ask
                return WAIT
            if refusal is None or refusal.problem != "authentication-required":
                return refusal
        if login.renew(shown, _Then(exchange)):
            return self._waiting(exchange)
        return self._stranger(exchange)

    def _stranger(self, exchange: Exchange) -> Refusal | None:
        if not _navigates(exchange):
            challenge = b'WWW-Authenticate: Bearer realm="agw"\r\n'
            return Refusal(401, "authentication-required", "this takes a login", challenge, self._iri)
        self._login.begin(exchange.target_bytes.decode("ascii", "replace"), _Then(exchange))
        return self._waiting(exchange)

    def _waiting(self, exchange: Exchange) -> Refusal:
        exchange.waits_at = self.ask
        return WAIT

    def _after(self, exchange: Exchange, step: Step) -> Refusal | None:
        if step.identity is not None:
            exchange.answer_fields += step.lines
            self._admit(exchange, step.identity.fields)
            exchange.caller = step.identity
            return None
        if step.location:
            fields = b"Location: %b\r\n%b%b" % (step.location.encode("ascii"), _NO_STORE, step.lines)
            return Direct(303, "login", "", fields, self._iri)
        if step.unavailable:
            said = "nobody can log in at the moment"
            retry = b"Retry-After: 5\r\n"
            return Refusal(503, "authentication-unavailable", said, retry, self._iri, failure=True, reason=step.reason)
        if exchange.target_bytes.partition(b"?")[0] != self._callback:
            return self._stranger(exchange)  # a session that could not be refreshed
        return self._refused(step.reason, step.lines)

    def _refused(self, reason: str, lines: bytes = b"") -> Refusal:
        detail = "the login did not come to its end; begin it again"
        return Refusal(403, "login-failed", detail, lines, self._iri, reason=reason)

    def _admit(self, exchange: Exchange, fields: bytes) -> None:
        """The backend is told who it is."""
        if self._login.config.forward_access_token:
            exchange.fields = _AUTHORIZATION.sub(b"", exchange.fields)
        exchange.fields += fields


class _Then:
    """Has an exchange go on with what a step came to."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, step: Step) -> None:
        self._exchange.login_step = step
        self._exchange.proceed()


def _cookies(exchange: Exchange) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in exchange.block.lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, text = pair.strip().partition("=")
                found.setdefault(key, text)
    return found


def _navigates(exchange: Exchange) -> bool:
    header = exchange.block.header
    if exchange.method not in ("GET", "HEAD") or header("x-requested-with") is not None:
        return False
    return header("sec-fetch-mode") in (None, "navigate") and "text/html" in (header("accept") or "")
