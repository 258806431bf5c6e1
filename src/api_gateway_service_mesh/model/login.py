"""People who log in with their browser at an OpenID provider (``agw:OpenIdLogin``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .jwt import JwtAlgorithm
from .oauth2 import OAuthClient

__all__ = ["OpenIdLogin", "RenewalClaim"]


@dataclass(frozen=True, slots=True)
class OpenIdLogin:
    """The provider is ``issuer``; browsers reach the gateway at ``external_url`` (an origin, without a slash at its
    end). ``session_key_ref`` seals sessions, ``former_session_key_refs`` only open them."""

    iri: str
    issuer: str
    client: OAuthClient
    external_url: str
    session_key_ref: str | None
    former_session_key_refs: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid",)
    callback_path: str = "/oauth2/callback"
    logout_path: str = "/oauth2/logout"
    session_seconds: float = 28800.0
    algorithms: tuple[JwtAlgorithm, ...] = (JwtAlgorithm.ES256, JwtAlgorithm.RS256)
    required_claims: tuple[str, ...] = ()
    forwarded_claims: tuple[str, ...] = ()
    forward_access_token: bool = False


class RenewalClaim(IntEnum):
    """What becomes of asking for the renewal of a session, where it is not the asker's to do (a place, from 0 on)."""

    ALONE = -1
    """There is no place on the board: do it, and tell nobody."""
    ELSEWHERE = -2
    """Somebody is at it."""
    RENEWED = -3
    """It was done a moment ago."""
