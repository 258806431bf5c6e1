"""What a route demands of its callers, ready to be asked: every token and key that would do, one of which must.

An order of `Authenticators` per worker: verifiers and key sources outlive a reload where their configuration did not
change, so nobody waits for keys, or has a token checked again, because a route elsewhere was edited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from api_gateway_service_mesh.model import Authentication, JwtAuthentication, OpenIdLogin, Route, TokenIntrospection

from .api_key import ApiKeys
from .authorization_server import AuthorizationServer
from .identity import Denial, Denied, Identity
from .introspection import Introspector
from .jwks import KeySource
from .jwt import JwtVerifier, wall_clock
from .login import Login
from .token import TokenError, read_token

__all__ = ["Authenticator", "Authenticators"]

# Which refusal is told when several authentications refused: the one that came furthest.
_RANK = (Denial.ABSENT, Denial.INVALID, Denial.EXPIRED, Denial.PENDING, Denial.CLAIM, Denial.SCOPE)
_HASH = sha256()
_ABSENT = Denied(Denial.ABSENT, "there is neither token nor key")
_UNKNOWN = Denied(Denial.INVALID, "nobody knows the token")


class Authenticator:
    """Decides about the callers of one route."""

    __slots__ = ("_verifiers", "demand", "introspectors", "keys")

    def __init__(
        self,
        demand: Authentication,
        verifiers: Iterable[JwtVerifier],
        keys: ApiKeys | None,
        introspectors: Iterable[Introspector] = (),
    ) -> None:
        self.demand = demand
        self.keys = keys
        self.introspectors = tuple(introspectors)
        self._verifiers = tuple(verifiers)

    @property
    def takes_tokens(self) -> bool:
        """Whether a token may be what is shown."""
        return bool(self._verifiers) or bool(self.introspectors)

    def remembered(self, bearer: bytes) -> Identity | None:
        """The caller whose token was accepted before and would be now; None when it must be judged."""
        return self._known(_digest(bearer))

    def judge(self, bearer: bytes | None, shown: Mapping[str, bytes]) -> Identity | Denied:
        """Who is calling: `bearer` is the token of the Authorization field, `shown` the keys (see `ApiKeys.judge`)."""
        best = _ABSENT
        if bearer is not None and self.takes_tokens:
            verdict = self._token(bearer)
            if isinstance(verdict, Identity):
                return verdict
            best = verdict
        if self.keys is not None and shown:
            verdict = self.keys.judge(shown)
            if isinstance(verdict, Identity):
                return verdict
            best = max(best, verdict, key=_rank)
        return best

    def _known(self, digest: bytes) -> Identity | None:
        for verifier in self._verifiers:
            identity = verifier.remembered(digest)
            if identity is not None:
                return identity
        for introspector in self.introspectors:
            identity = introspector.remembered(digest)
            if identity is not None:
                return identity
        return None

    def _token(self, bearer: bytes) -> Identity | Denied:
        digest = _digest(bearer)
        identity = self._known(digest)
        if identity is not None:
            return identity
        best, meant = self._signed(bearer, digest) if self._verifiers else (_UNKNOWN, False)
        if isinstance(best, Identity) or meant:
            return best
        for introspector in self.introspectors:
            verdict = introspector.judge(bearer, digest)
            if isinstance(verdict, Identity):
                return verdict
            best = max(verdict, best, key=_rank)
        return best

    def _signed(self, bearer: bytes, digest: bytes) -> tuple[Identity | Denied, bool]:
        """What those who check signatures say, and whether one of them is meant: then nobody else is asked."""
        try:
            token = read_token(bearer)
        except TokenError as error:
            return Denied(Denial.INVALID, str(error)), False
        issuer = token.claims.get("iss")
        best, meant = Denied(Denial.INVALID, "the token's issuer is none of this route's"), False
        for verifier in self._verifiers:
            if verifier.config.issuer == issuer:
                meant = True
                verdict = verifier.judge(token, digest)
                if isinstance(verdict, Identity):
                    return verdict, True
                best = max(best, verdict, key=_rank)
        return best, meant

    def answer_wanted(self, bearer: bytes, then: Callable[[], None]) -> bool:
        """After `Denial.PENDING`: fetch what misses to decide about a token, where that may help, and call `then` when
        that is over. False: it would not help now; `then` is not called."""
        if self._verifiers and self.keys_wanted(bearer, then):
            return True
        digest = _digest(bearer)
        pending = [
            introspector
            for introspector in self.introspectors
            if isinstance(known := introspector.judge(bearer, digest), Denied) and known.denial is Denial.PENDING
        ]
        waits = _Countdown(then)
        asked = sum(introspector.ask(bearer, digest, waits.one) for introspector in pending)
        return waits.begin(asked)

    def keys_wanted(self, bearer: bytes, then: Callable[[], None]) -> bool:
        """After `Denial.PENDING`: fetch the keys that miss, where that may help, and call `then` when that is over.

        False: it would not help now; `then` is not called.
        """
        try:
            token = read_token(bearer)
        except TokenError:
            return False
        for verifier in self._verifiers:
            if verifier.config.issuer == token.claims.get("iss"):
                source = verifier.source
                ring = source.keys()
                if (ring is None or not ring.knows(token.kid)) and source.want():
                    source.wait(then)
                    return True
        return False

    def has_keys(self, bearer: bytes) -> bool:
        """Whether there are keys for the token's issuer at all: then a kid that is not among them is nobody's."""
        try:
            issuer = read_token(bearer).claims.get("iss")
        except TokenError:
            return True
        mine = [verifier for verifier in self._verifiers if verifier.config.issuer == issuer]
        return any(verifier.source.keys() is not None for verifier in mine)


def _digest(bearer: bytes) -> bytes:
    hashed = _HASH.copy()  # half the time of a new one, which OpenSSL would look up by its name
    hashed.update(bearer)
    return hashed.digest()


def _rank(denied: Denied) -> int:
    return _RANK.index(denied.denial)


class _Countdown:
    """Calls `then` once as many have called `one` as `begin` was told."""

    __slots__ = ("_left", "_then")

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._left = 0

    def begin(self, count: int) -> bool:
        """Expect `count` of them, later; False when that is none."""
        self._left = count
        return count > 0

    def one(self) -> None:
        self._left -= 1
        if not self._left:
            self._then()


class Authenticators:
    """All authenticators of one worker. Lives on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = wall_clock) -> None:
        self._loop = loop
        self._clock = clock
        self._sources: dict[str, KeySource] = {}
        self._verifiers: dict[JwtAuthentication, JwtVerifier] = {}
        self._server = AuthorizationServer(loop)
        self._introspectors: dict[TokenIntrospection, Introspector] = {}
        self._logins: dict[OpenIdLogin, Login] = {}

    @property
    def session_cookies(self) -> tuple[str, ...]:
        """What the names of the cookies begin with that logins keep in browsers."""
        return tuple(sorted(login.cookie for login in self._logins.values()))

    def adopt(self, routes: Iterable[Route]) -> None:
        """Make ready what `routes` demand, and let go of what none of them does. Keys are fetched at once."""
        demands = {id(route.authentication): route.authentication for route in routes}.values()
        wanted = {jwt: None for demand in demands if demand is not None for jwt in demand.jwt}
        asked = {each: None for demand in demands if demand is not None for each in demand.introspections}
        for introspection in asked:
            if introspection not in self._introspectors:
                self._introspectors[introspection] = Introspector(introspection, self._server, self._loop, self._clock)
        people = {login: None for demand in demands if demand is not None for login in demand.logins}
        for login in people:
            if login not in self._logins:
                self._logins[login] = Login(login, self._server, self._loop, self._clock)
        for login in self._logins.keys() - people.keys():
            self._logins.pop(login).retire()
        for introspection in self._introspectors.keys() - asked.keys():
            del self._introspectors[introspection]
        for uri in {jwt.jwks_uri for jwt in wanted}:
            if uri not in self._sources:
                source = self._sources[uri] = KeySource(uri, self._loop)
                source.start()
        for jwt in wanted:
            if jwt not in self._verifiers:
                self._verifiers[jwt] = JwtVerifier(jwt, self._sources[jwt.jwks_uri], self._clock)
        for jwt in self._verifiers.keys() - wanted.keys():
            del self._verifiers[jwt]
        for uri in self._sources.keys() - {jwt.jwks_uri for jwt in wanted}:
            self._sources.pop(uri).retire()

    def of(self, demand: Authentication) -> Authenticator:
        """The authenticator for what a route demands; its routes were adopted before."""
        verifiers = [self._verifiers[jwt] for jwt in demand.jwt]
        keys = ApiKeys(demand.api_keys, self._clock) if demand.api_keys else None
        introspectors = [self._introspectors[each] for each in demand.introspections]
        return Authenticator(demand, verifiers, keys, introspectors)

    def login(self, config: OpenIdLogin) -> Login:
        """What `config` comes to; its routes were adopted before."""
        return self._logins[config]

    def close(self) -> None:
        """End everything now."""
        for login in self._logins.values():
            login.close()
        self._logins.clear()
        for source in self._sources.values():
            source.close()
        for introspector in self._introspectors.values():
            introspector.close()
        self._server.close()
        self._sources.clear()
        self._verifiers.clear()
        self._introspectors.clear()
