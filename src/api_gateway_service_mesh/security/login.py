"""People who log in with their browser (OpenID Connect Core §3.1): the steps, and the session that comes of them.

Nothing is kept here that a restart, another worker or another gateway with the same keys would miss: what was begun and
who is logged in stands in sealed cookies (`session`). Of requests that come together, to whatever worker, one refreshes
a session (`renewal`): its refresh token must not be used twice. Authorization code with PKCE S256, a state and a nonce
for each login; a login can be completed in the browser alone that began it, within `LOGIN_SECONDS`, and leads back to a
path of the gateway's own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl, urlencode

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import OpenIdLogin, claim_says

from .authorization_server import AuthorizationServer, ServerError
from .claims import claim_demand, claim_lines, forwarded_headers, scopes_of
from .identity import Identity
from .json_text import read_object
from .jwt import wall_clock
from .openid import OpenIdProvider
from .renewal import Board, renewed_once
from .secret import read_secret
from .session import Sealer, clearing_line, cookie_lines, joined_cookies
from .token import unbase64url
from .verdicts import VerdictCache

__all__ = ["LOGIN_SECONDS", "REFRESH_AHEAD_SECONDS", "Login", "Session", "Step", "own_path"]

LOGIN_SECONDS = 600
REFRESH_AHEAD_SECONDS = 30.0
"""An access token is refreshed so long before its end."""
RENEWED_SECONDS = 30.0
"""So long a session that was refreshed is known by its old cookie: of requests sent together, one refreshes."""
_STATE, _SESSION = "login", "session"

_log = logging.getLogger("agw.authentication")


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in. Times in seconds since 1970; ``access_until`` is when the access token ends."""

    id_token: str
    access_token: str
    access_until: float
    refresh_token: str
    until: float
    scope: str

    def packed(self) -> bytes:
        """For sealing."""
        parts = (self.id_token, self.access_token, self.access_until, self.refresh_token, self.until, self.scope)
        return json.dumps(parts, separators=(",", ":")).encode()

    @staticmethod
    def unpacked(data: bytes) -> Session:
        """What `packed` made."""
        return Session(*json.loads(data))


@dataclass(frozen=True, slots=True)
class Step:
    """What a request of a login comes to: a redirect to ``location``, or (empty) a refusal with ``reason`` for the
    operator; ``lines`` are Set-Cookie lines. ``unavailable``: the provider is at fault, not the browser. ``identity``:
    who may go on after all."""

    location: str = ""
    lines: bytes = b""
    reason: str = ""
    unavailable: bool = False
    identity: Identity | None = None


def own_path(target: str) -> str:
    """`target` as a place on the gateway's own host, else ``/``: nobody is sent elsewhere (CWE-601)."""
    fits = target.startswith("/") and not target.startswith("//") and len(target) <= 2000
    return target if fits and "\\" not in target and target.isascii() and target.isprintable() else "/"


class Login:
    """One ``agw:OpenIdLogin`` in one worker."""

    def __init__(
        self,
        config: OpenIdLogin,
        server: AuthorizationServer,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self.config = config
        self.count: Callable[[int], None] = _uncounted
        self.board: Board | None = None
        """Where workers agree on who of them refreshes a session."""
        self.secure = config.external_url.startswith("https:")
        self.cookie = ("__Host-" if self.secure else "") + "agw-" + sha256(config.iri.encode()).hexdigest()[:8]
        """Of the session; its pieces and the logins under way have names that begin with it."""
        self._server = server
        self._loop = loop
        self._clock = clock
        self._provider = OpenIdProvider(config, server, loop, clock)
        self._claims = [claim_demand(text) for text in config.required_claims]
        self._headers = forwarded_headers(config.forwarded_claims)
        self._known = VerdictCache(config.session_seconds)
        self._renewing: dict[bytes, list[Callable[[Step], None]]] = {}
        self._renewed: dict[bytes, tuple[float, Step]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sealer: Sealer | None = None
        try:
            references = [config.session_key_ref, *config.former_session_key_refs]
            self._sealer = Sealer([read_secret(reference).encode() for reference in references if reference])
        except (AgwError, ValueError) as error:
            _log.warning("%s: %s; nobody can log in", config.iri, error)

    # -- who is logged in

    def session(self, shown: Mapping[str, str]) -> Session | None:
        """Whose session is among the cookies `shown`, when it is good and not over."""
        return self._opened(joined_cookies(self.cookie, shown))

    def _opened(self, sealed: str) -> Session | None:
        if not sealed or self._sealer is None:
            return None
        data = self._sealer.open(f"{_SESSION} {self.config.iri}", sealed)
        session = Session.unpacked(data) if data is not None else None
        return session if session is not None and self._clock() < session.until else None

    def caller(self, shown: Mapping[str, str]) -> Identity | None:
        """Who is logged in, when nothing has to be refreshed."""
        value = joined_cookies(self.cookie, shown)
        if not value:
            return None
        digest = sha256(value.encode()).digest()
        now = self._clock()
        known = self._known.accepted(digest, now)
        if known is not None:
            return known
        session = self.session(shown)
        if session is None or now >= self._good_until(session):
            return None
        identity = self._identity(session)
        if identity is not None:
            self._known.accept(digest, identity, now)
        return identity

    def _good_until(self, session: Session) -> float:
        if session.refresh_token:
            return min(session.until, session.access_until - REFRESH_AHEAD_SECONDS)
        return min(session.until, session.access_until) if self.config.forward_access_token else session.until

    def _identity(self, session: Session) -> Identity | None:
        claims = read_object(unbase64url(session.id_token.split(".")[1].encode()))
        if not all(claim_says(claims, name, value) for name, value in self._claims):
            return None
        fields = claim_lines(claims, self._headers)
        if self.config.forward_access_token:
            fields += b"Authorization: Bearer %b\r\n" % session.access_token.encode("ascii")
        scopes = frozenset(session.scope.split()) | frozenset(scopes_of(claims))
        until = self._good_until(session)
        return Identity(self.config.iri, fields, "", self.config.issuer, claims, 0.0, until, scopes)

    # -- steps; each calls `then` once, later

    def begin(self, target: str, then: Callable[[Step], None]) -> None:
        """Send the browser to the provider, and have it come back to `target`."""
        self._start(self._begin(own_path(target)), then)

    async def _begin(self, target: str) -> Step:
        sealer = self._sealer
        if sealer is None:
            raise ServerError("there is no session key")
        facts = await self._provider.facts()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        kept = json.dumps([state, nonce, verifier, target, self._clock() + LOGIN_SECONDS]).encode()
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.config.client.client_id,
            "redirect_uri": self._callback,
            "scope": " ".join(self.config.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        lines = cookie_lines(
            self._state_cookie(state), sealer.seal(self._purpose, kept), LOGIN_SECONDS, self.secure, {}
        )
        return Step(_with_query(facts.authorization_endpoint, query), lines)

    def complete(self, query: str, shown: Mapping[str, str], then: Callable[[Step], None]) -> None:
        """The browser is back at the callback."""
        self._start(self._complete(query, shown), then)

    async def _complete(self, query: str, shown: Mapping[str, str]) -> Step:
        said = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
        answer = dict(said)
        if len(answer) != len(said):
            return Step(reason="the provider's answer says something twice")
        state = answer.get("state", "")
        name = self._state_cookie(state)
        kept = self._sealer.open(self._purpose, shown.get(name, "")) if self._sealer is not None else None
        if kept is None:
            return Step(reason="no login was begun in this browser")
        begun, nonce, verifier, target, until = json.loads(kept)
        if not compare_digest(begun.encode(), state.encode()):
            return Step(reason="the state is another login's")
        forget = clearing_line(name, self.secure).encode("ascii")
        if self._clock() >= until:
            return Step(reason="the login took too long", lines=forget)
        facts = await self._provider.facts()
        if answer.get("iss", None if facts.tells_issuer else self.config.issuer) != self.config.issuer:
            return Step(reason="the answer is another provider's", lines=forget)
        if "code" not in answer or "error" in answer:
            return Step(reason="the provider refused the login", lines=forget)
        form = {"grant_type": "authorization_code", "code": answer["code"]}
        form |= {"redirect_uri": self._callback, "code_verifier": verifier}
        try:
            said_of = await self._server.post(facts.token_endpoint, form, self.config.client)
            session = await self._session(said_of, None)
            claims = (await self._provider.id_token(session.id_token)).claims
        except ServerError as error:
            if not error.refused:
                raise
            return Step(reason=str(error), lines=forget)
        if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            return Step(reason="the nonce is another login's", lines=forget)
        self.count(LOGGED_IN)
        return Step(own_path(target), self._kept(session, shown) + forget)

    async def _session(self, answer: dict[str, Any], before: Session | None) -> Session:
        """What a token endpoint's answer comes to; a refreshed one fills its gaps from `before`."""
        kind, access = answer.get("token_type"), answer.get("access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer" or not isinstance(access, str) or not access:
            raise ServerError("it gave no bearer token", refused=True)
        if not access.isascii() or not access.isprintable() or " " in access:
            raise ServerError("its access token is none", refused=True)
        id_token = answer.get("id_token", before.id_token if before else None)
        if not isinstance(id_token, str):
            raise ServerError("it gave no ID token", refused=True)
        now, lives = self._clock(), answer.get("expires_in", 3600)
        if isinstance(lives, bool) or not isinstance(lives, int | float) or not 0 < lives < 1e9:
            lives = 3600
        refresh = answer.get("refresh_token", before.refresh_token if before else "")
        scope = answer.get("scope", before.scope if before else " ".join(self.config.scopes))
        until = before.until if before else now + self.config.session_seconds
        return Session(id_token, access, now + lives, str(refresh or ""), until, str(scope))

    def renew(self, shown: Mapping[str, str], then: Callable[[Step], None]) -> bool:
        """Refresh what of the session is over. False when there is nothing to refresh; `then` is not called."""
        session = self.session(shown)
        if session is None or not session.refresh_token:
            return False
        digest = sha256(joined_cookies(self.cookie, shown).encode()).digest()
        renewed = self._renewed.get(digest)
        if renewed is not None and self._clock() < renewed[0]:
            self._loop.call_soon(then, renewed[1])
            return True
        waiting = self._renewing.get(digest)
        if waiting is not None:
            waiting.append(then)
            return True
        self._renewing[digest] = [then]

        def done(step: Step) -> None:
            now = self._clock()
            self._renewed = {key: entry for key, entry in self._renewed.items() if now < entry[0]}
            if step.identity is not None:
                self._renewed[digest] = (now + RENEWED_SECONDS, step)
            for each in self._renewing.pop(digest):
                each(step)

        self._start(self._renew(session, shown), done)
        return True

    async def _renew(self, session: Session, shown: Mapping[str, str]) -> Step:
        def meanwhile() -> Step | None:  # it is good for a while, and the other tells the browser
            return Step(identity=self._identity(session)) if self._clock() < session.access_until else None

        return await renewed_once(
            self.board,
            joined_cookies(self.cookie, shown),
            meanwhile=meanwhile,
            renew=lambda: self._refresh(session, shown),
            adopt=lambda sealed: self._adopted(sealed, shown),
        )

    def _adopted(self, sealed: str, shown: Mapping[str, str]) -> Step:
        """What came of a renewal by another worker."""
        session = self._opened(sealed)
        if session is None:
            return Step(reason="the session could not be refreshed by another worker")
        return Step(lines=self._kept(session, shown, sealed), identity=self._identity(session))

    async def _refresh(self, session: Session, shown: Mapping[str, str]) -> tuple[Step, str | None]:
        """Use the refresh token. See `renewed_once`."""
        try:
            facts = await self._provider.facts()
            form = {"grant_type": "refresh_token", "refresh_token": session.refresh_token}
            answer = await self._server.post(facts.token_endpoint, form, self.config.client)
            fresh = await self._session(answer, session)
            if fresh.id_token != session.id_token:
                now, before = await self._provider.id_token(fresh.id_token), self._identity(session)
                if before is None or now.claims.get("sub") != before.claims.get("sub"):
                    return Step(reason="the refreshed session is somebody else's"), ""
        except ServerError as error:
            if error.refused:
                return Step(reason=f"the session could not be refreshed: {error}"), ""
            if self._clock() < session.access_until:
                return Step(identity=self._identity(session)), None
            raise
        self.count(REFRESHED)
        sealed = self._sealed(fresh)
        return Step(lines=self._kept(fresh, shown, sealed), identity=self._identity(fresh)), sealed

    def end(self, shown: Mapping[str, str], then: Callable[[Step], None]) -> None:
        """Log out, here and at the provider (OpenID Connect RP-Initiated Logout 1.0)."""
        self._start(self._end(self.session(shown), shown), then)

    async def _end(self, session: Session | None, shown: Mapping[str, str]) -> Step:
        lines = "".join(clearing_line(name, self.secure) for name in shown if name.startswith(self.cookie)).encode()
        try:
            endpoint = (await self._provider.facts()).end_session_endpoint if session is not None else None
        except ServerError:
            endpoint = None
        if endpoint is None or session is None:
            return Step("/", lines)
        query = {"id_token_hint": session.id_token, "client_id": self.config.client.client_id}
        query["post_logout_redirect_uri"] = f"{self.config.external_url}/"
        return Step(_with_query(endpoint, query), lines)

    def _start(self, work: Any, then: Callable[[Step], None]) -> None:
        async def run() -> None:
            try:
                step = await work
            except (ServerError, ValueError) as error:
                _log.warning("%s: the provider: %s", self.config.iri, error)
                step = Step(reason=str(error), unavailable=True)
            if step.reason:
                self.count(FAILED)
            then(step)

        task = self._loop.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sealed(self, session: Session) -> str:
        assert self._sealer is not None
        return self._sealer.seal(f"{_SESSION} {self.config.iri}", session.packed())

    def _kept(self, session: Session, shown: Mapping[str, str], sealed: str | None = None) -> bytes:
        seconds = max(1, int(session.until - self._clock()))
        return cookie_lines(self.cookie, sealed or self._sealed(session), seconds, self.secure, shown)

    @property
    def _purpose(self) -> str:
        return f"{_STATE} {self.config.iri}"

    @property
    def _callback(self) -> str:
        return self.config.external_url + self.config.callback_path

    def _state_cookie(self, state: str) -> str:
        return f"{self.cookie}-login-{sha256(state.encode()).hexdigest()[:8]}"

    def retire(self) -> None:
        """Nobody begins here any more; steps under way come to their end."""
        self._provider.retire()

    def close(self) -> None:
        """End everything now."""
        for task in self._tasks:
            task.cancel()
        self._provider.close()


LOGGED_IN, FAILED, REFRESHED = range(3)
"""What is counted (`policies.event`)."""


def _uncounted(_: int) -> None:
    pass


def _with_query(address: str, query: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"
