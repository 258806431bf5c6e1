"""Whether a token is one of the issuer's, for us, now, and says what is demanded (RFC 7519, RFC 8725, RFC 9068).

A token that was accepted is remembered by the SHA-256 of all its bytes, never past its ``exp`` and only as long as the
issuer's keys stay as they were; so the second request with it costs one lookup. Refusals are not remembered: who sends
garbage could send other garbage.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from api_gateway_service_mesh.model import JwtAlgorithm, JwtAuthentication, claim_says

from .claims import claim_demand, claim_lines, date_of, forwarded_headers, holds_audience, scopes_of
from .identity import Denial, Denied, Identity
from .jwks import KeySource
from .token import Token

__all__ = ["REMEMBERED", "JwtVerifier", "wall_clock"]

REMEMBERED = 10_000
"""Tokens remembered by one verifier; the oldest half goes when there are more."""


class _WallClock:
    """Reads the wall clock at most every `READ_SECONDS`: what is asked of it is about whole seconds."""

    __slots__ = ("_read_at", "_said")

    def __init__(self) -> None:
        self._read_at = -1e300
        self._said = 0.0

    def now(self) -> float:
        """Seconds since 1970, at most `READ_SECONDS` old."""
        at = monotonic()
        if at - self._read_at > READ_SECONDS:
            self._said = datetime.now(UTC).timestamp()
            self._read_at = at
        return self._said


READ_SECONDS: Final = 0.01
_CLOCK: Final = _WallClock()


def wall_clock() -> float:
    """Seconds since 1970: tokens are about dates, unlike everything else that is timed here."""
    return _CLOCK.now()


class JwtVerifier:
    """Checks the tokens of one ``agw:JWTAuthentication``."""

    __slots__ = ("_algorithms", "_claims", "_clock", "_headers", "_revision", "_source", "_verdicts", "config")

    def __init__(self, config: JwtAuthentication, source: KeySource, clock: Callable[[], float] = wall_clock) -> None:
        self.config = config
        self._source = source
        self._clock = clock
        self._algorithms = {algorithm.value: algorithm for algorithm in config.algorithms}
        self._claims = [claim_demand(text) for text in config.required_claims]
        self._headers = forwarded_headers(config.forwarded_claims)
        self._verdicts: dict[bytes, Identity] = {}
        self._revision = 0

    @property
    def source(self) -> KeySource:
        """Where the keys come from."""
        return self._source

    def remembered(self, digest: bytes) -> Identity | None:
        """The caller behind a token that was accepted before and would be now; `digest` is its SHA-256."""
        identity = self._verdicts.get(digest)
        if identity is None or self._revision != self._source.revision:
            return None
        if identity.since <= self._clock() < identity.until and self._source.keys() is not None:
            return identity
        del self._verdicts[digest]
        return None

    def judge(self, token: Token, digest: bytes) -> Identity | Denied:
        """Check all of `token`; `digest` is what to remember it by."""
        algorithm = self._algorithms.get(token.algorithm)
        if algorithm is None:
            return self._denied(Denial.INVALID, "the token's algorithm is not one that is allowed here")
        ring = self._source.keys()
        if ring is None:
            return self._denied(Denial.PENDING, "there are no keys to check with")
        revision = self._source.revision
        if not ring.knows(token.kid):
            return self._denied(Denial.PENDING, "no key of that kid is known")
        if not self._signed(token, algorithm):
            return self._denied(Denial.INVALID, "the signature is not one of the issuer's keys")
        verdict = self._accept(token.claims)
        if isinstance(verdict, Identity):
            self._remember(digest, verdict, revision)
        return verdict

    def _signed(self, token: Token, algorithm: JwtAlgorithm) -> bool:
        ring = self._source.keys()
        keys = ring.candidates(token.kid, algorithm) if ring is not None else ()
        return any(key.verifies(algorithm, token.signed, token.signature) for key in keys)

    def _accept(self, claims: dict[str, Any]) -> Identity | Denied:
        """What the claims of a token with a good signature say (RFC 7519 §4.1)."""
        config, now, skew = self.config, self._clock(), self.config.clock_skew_seconds
        if claims.get("iss") != config.issuer or not config.issuer:
            return self._denied(Denial.INVALID, "iss is not the issuer")
        if not holds_audience(claims.get("aud"), config.audiences):
            return self._denied(Denial.INVALID, "aud holds none of the audiences")
        expires = date_of(claims, "exp")
        if expires is None:
            return self._denied(Denial.INVALID, "exp is missing or no date")
        if now >= expires + skew:
            return self._denied(Denial.EXPIRED, "exp is over")
        since = 0.0
        for name in ("nbf", "iat"):
            if name in claims:
                begins = date_of(claims, name)
                if begins is None:
                    return self._denied(Denial.INVALID, f"{name} is no date")
                if begins - skew > now:
                    return self._denied(Denial.INVALID, f"{name} lies in the future")
                since = max(since, begins - skew)
        if "sub" in claims and not isinstance(claims["sub"], str):
            return self._denied(Denial.INVALID, "sub is no text")
        scopes = frozenset(scopes_of(claims))
        missing = set(config.required_scopes) - scopes
        if missing:
            return self._denied(Denial.SCOPE, f"{len(missing)} of the demanded scopes are missing")
        for name, value in self._claims:
            if not claim_says(claims, name, value):
                return self._denied(Denial.CLAIM, f"the claim {name} is missing or another")
        return Identity(
            config.iri, claim_lines(claims, self._headers), "", config.issuer, claims, since, expires, scopes
        )

    def _remember(self, digest: bytes, identity: Identity, revision: int) -> None:
        if revision != self._revision:
            self._verdicts.clear()
            self._revision = revision
        if len(self._verdicts) >= REMEMBERED:
            for oldest in list(self._verdicts)[: REMEMBERED // 2]:
                del self._verdicts[oldest]
        self._verdicts[digest] = identity

    def _denied(self, denial: Denial, reason: str) -> Denied:
        return Denied(denial, reason, self.config.iri, self.config.required_scopes)
