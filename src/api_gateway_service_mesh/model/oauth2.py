"""Callers who show an access token that its server is asked about (``agw:OAuth2``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ClientAuthentication", "OAuthClient", "TokenIntrospection"]


class ClientAuthentication(StrEnum):
    """``agw:clientAuthentication``: how a client shows its id and secret (RFC 6749 §2.3.1)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """As whom the gateway speaks to an authorization server. ``secret_ref`` says where the secret is; None: there is
    none (a public client)."""

    client_id: str
    secret_ref: str | None = None
    authentication: ClientAuthentication = ClientAuthentication.BASIC


@dataclass(frozen=True, slots=True)
class TokenIntrospection:
    """Tokens that ``endpoint`` is asked about (RFC 7662). With an ``issuer`` or ``audiences``, what is said of a token
    must fit them; all of ``required_scopes`` and ``required_claims`` (a name, or ``NAME=VALUE``) must be said of it.
    ``forwarded_claims`` are told to the backend (`JwtAuthentication.claim_header`). ``remember_seconds``: how long an
    answer holds."""

    iri: str
    endpoint: str
    client: OAuthClient
    issuer: str | None = None
    audiences: tuple[str, ...] = ()
    required_scopes: tuple[str, ...] = ()
    required_claims: tuple[str, ...] = ()
    forwarded_claims: tuple[str, ...] = ()
    remember_seconds: float = 60.0
