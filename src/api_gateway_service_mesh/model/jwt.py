"""Callers who show a signed token (``agw:JWTAuthentication``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["JwtAlgorithm", "JwtAuthentication"]


class JwtAlgorithm(StrEnum):
    """``agw:signingAlgorithm`` (RFC 7518 §3.1, RFC 8037 §3.1). Asymmetric ones alone: a gateway shares no secret with
    those who sign."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True)
class JwtAuthentication:
    """What a token must be. ``jwks_uri`` is an ``https:`` URL, an ``http:`` one on loopback, or ``file:`` and an
    absolute path. One of ``audiences`` must be in a token; all of ``required_scopes`` and ``required_claims`` (a name,
    or ``NAME=VALUE``) must. ``forwarded_claims`` are told to the backend (see `claim_header`)."""

    iri: str
    issuer: str
    audiences: tuple[str, ...]
    jwks_uri: str
    algorithms: tuple[JwtAlgorithm, ...] = (JwtAlgorithm.ES256, JwtAlgorithm.RS256)
    clock_skew_seconds: float = 30.0
    required_scopes: tuple[str, ...] = ()
    required_claims: tuple[str, ...] = ()
    forwarded_claims: tuple[str, ...] = ()

    @staticmethod
    def claim_header(claim: str) -> str:
        """The header field that tells a backend of a claim: ``email_verified`` goes as
        ``X-Jwt-Claim-Email-Verified``, ``/realm_access/roles`` as ``X-Jwt-Claim-Realm-Access-Roles``."""
        words = "".join(char if char.isascii() and char.isalnum() else "-" for char in claim.strip("/")).split("-")
        return "X-Jwt-Claim-" + "-".join(word[:1].upper() + word[1:] for word in words)
