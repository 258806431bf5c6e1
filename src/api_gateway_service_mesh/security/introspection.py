"""Tokens that their server is asked about (RFC 7662).

Each token is asked about once at a time, however many show it, and its verdict remembered by the digest of all of it
(`verdicts`). A server that gave no usable answer is not asked again for `RETRY_SECONDS`; until then, and whenever
nothing is known of a token, nobody gets in with it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

from api_gateway_service_mesh.model import TokenIntrospection, claim_says

from .authorization_server import AuthorizationServer, ServerError
from .claims import claim_demand, claim_lines, date_of, forwarded_headers, holds_audience, scopes_of
from .identity import Denial, Denied, Identity
from .jwt import wall_clock
from .token import MAX_TOKEN_BYTES
from .verdicts import VerdictCache

__all__ = ["ASKED", "AT_ONCE", "FAILED", "INACTIVE", "RETRY_SECONDS", "Introspector"]

ASKED, FAILED, INACTIVE = range(3)
"""What is counted (`policies.event`): questions, those without a usable answer, tokens that are not active."""
RETRY_SECONDS = 1.0
AT_ONCE = 256
"""So many tokens are asked about at once; who shows one more is told to come again."""
_TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*\Z")  # RFC 6750 §2.1

_log = logging.getLogger("agw.authentication")


def _uncounted(_: int) -> None:
    pass


class Introspector:
    """Asks about the tokens of one ``agw:OAuth2``. Lives on one event loop."""

    def __init__(
        self,
        config: TokenIntrospection,
        server: AuthorizationServer,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self.config = config
        self.count: Callable[[int], None] = _uncounted
        """Told what is done (`ASKED` …)."""
        self._server = server
        self._loop = loop
        self._clock = clock
        self._claims = [claim_demand(text) for text in config.required_claims]
        self._headers = forwarded_headers(config.forwarded_claims)
        self._verdicts = VerdictCache(config.remember_seconds)
        self._asking: dict[bytes, list[Callable[[], None]]] = {}
        self._fresh: dict[bytes, Identity | Denied] = {}
        """Verdicts for those who waited for them, which they get even where nothing is remembered."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed_at = -1e300
        self._fault: str | None = None

    def remembered(self, digest: bytes) -> Identity | None:
        """The caller behind a token that was asked about before."""
        return self._verdicts.accepted(digest, self._clock())

    def judge(self, bearer: bytes, digest: bytes) -> Identity | Denied:
        """What is known of a token; `Denial.PENDING` when it has to be asked about."""
        fresh = self._fresh.get(digest)
        if fresh is not None:
            return fresh
        now = self._clock()
        known = self._verdicts.accepted(digest, now) or self._verdicts.refused(digest, now)
        if known is not None:
            return known
        if len(bearer) > MAX_TOKEN_BYTES:
            return self._denied(Denial.INVALID, f"the token is longer than {MAX_TOKEN_BYTES} bytes")
        if _TOKEN.match(bearer) is None:
            return self._denied(Denial.INVALID, "the token holds what no token holds")
        return self._denied(Denial.PENDING, self._fault or "the authorization server was not asked yet")

    def ask(self, bearer: bytes, digest: bytes, then: Callable[[], None]) -> bool:
        """Ask about a token, and call `then` when that is over, however it ends. False: that would not help now."""
        waiting = self._asking.get(digest)
        if waiting is not None:
            waiting.append(then)
            return True
        if self._loop.time() - self._failed_at < RETRY_SECONDS or len(self._asking) >= AT_ONCE:
            return False
        self._asking[digest] = [then]
        task = self._loop.create_task(self._run(bearer.decode("ascii"), digest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _run(self, token: str, digest: bytes) -> None:
        try:
            self.count(ASKED)
            form = {"token": token, "token_type_hint": "access_token"}
            answer = await self._server.post(self.config.endpoint, form, self.config.client)
            if not isinstance(answer.get("active"), bool):
                raise ServerError("it does not say whether the token is active")
            self._adopt(digest, answer)
        except ServerError as error:
            self._failed(str(error))
        finally:
            waiting = self._asking.pop(digest)
            for then in waiting:
                then()
            self._fresh.pop(digest, None)

    def _adopt(self, digest: bytes, answer: dict[str, Any]) -> None:
        if self._fault is not None:
            _log.warning("%s: the authorization server answers again", self.config.iri)
            self._fault = None
        now = self._clock()
        verdict = self.verdict(answer, now)
        self._fresh[digest] = verdict
        if isinstance(verdict, Identity):
            self._verdicts.accept(digest, verdict, now)
        else:
            self._verdicts.refuse(digest, verdict, now)

    def _failed(self, reason: str) -> None:
        self.count(FAILED)
        self._failed_at = self._loop.time()
        if reason != self._fault:
            self._fault = reason
            _log.warning(
                "%s: the authorization server: %s; nobody gets in whose token is not known", self.config.iri, reason
            )

    def verdict(self, answer: dict[str, Any], now: float) -> Identity | Denied:
        """What the server's answer (RFC 7662 §2.2) says at `now`, in seconds since 1970."""
        config = self.config
        if answer["active"] is not True:
            self.count(INACTIVE)
            return self._denied(Denial.INVALID, "the token is not active")
        claims = {name: value for name, value in answer.items() if name != "active"}
        kind = claims.get("token_type", "Bearer")
        if not isinstance(kind, str) or kind.lower() not in ("bearer", "access_token") or "cnf" in claims:
            return self._denied(Denial.INVALID, "the token is bound to a key that is not shown here")
        if config.issuer is not None and claims.get("iss", config.issuer) != config.issuer:
            return self._denied(Denial.INVALID, "iss is not the issuer")
        if config.audiences and not holds_audience(claims.get("aud"), config.audiences):
            return self._denied(Denial.INVALID, "aud holds none of the audiences")
        if "sub" in claims and not isinstance(claims["sub"], str):
            return self._denied(Denial.INVALID, "sub is no text")
        until = float("inf")
        if "exp" in claims:
            expires = date_of(claims, "exp")
            if expires is None:
                return self._denied(Denial.INVALID, "exp is no date")
            if now >= expires:
                return self._denied(Denial.EXPIRED, "exp is over")
            until = expires
        if "nbf" in claims:
            begins = date_of(claims, "nbf")
            if begins is None or begins > now:
                return self._denied(Denial.INVALID, "nbf is no date, or lies in the future")
        scopes = frozenset(scopes_of(claims))
        missing = set(config.required_scopes) - scopes
        if missing:
            return self._denied(Denial.SCOPE, f"{len(missing)} of the demanded scopes are missing")
        for name, value in self._claims:
            if not claim_says(claims, name, value):
                return self._denied(Denial.CLAIM, f"the claim {name} is missing or another")
        issuer = claims.get("iss")
        issuer = issuer if isinstance(issuer, str) else config.issuer or config.endpoint
        return Identity(config.iri, claim_lines(claims, self._headers), "", issuer, claims, 0.0, until, scopes)

    def _denied(self, denial: Denial, reason: str) -> Denied:
        return Denied(denial, reason, self.config.iri, self.config.required_scopes)

    def close(self) -> None:
        """End everything now."""
        for task in self._tasks:
            task.cancel()
