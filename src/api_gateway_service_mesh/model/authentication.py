"""How callers of a route prove who they are (``agw:hasAuthentication``)."""

from __future__ import annotations

from dataclasses import dataclass

from .api_key import ApiKey
from .jwt import JwtAuthentication
from .login import OpenIdLogin
from .oauth2 import TokenIntrospection

__all__ = ["Authentication"]


@dataclass(frozen=True, slots=True)
class Authentication:
    """What a route demands: one of these must accept the caller. With none in it nobody is accepted.

    ``stated_by`` is the IRI of the route or gateway that demands it."""

    stated_by: str
    jwt: tuple[JwtAuthentication, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()
    introspections: tuple[TokenIntrospection, ...] = ()
    logins: tuple[OpenIdLogin, ...] = ()

    @property
    def takes_claims(self) -> bool:
        """Whether a caller may come with claims."""
        return bool(self.jwt or self.introspections or self.logins)
