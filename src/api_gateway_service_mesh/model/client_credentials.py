"""As whom the gateway calls backends (``agw:ClientCredentials``)."""

from __future__ import annotations

from dataclasses import dataclass

from .oauth2 import OAuthClient

__all__ = ["ClientCredentials"]


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A token that ``client`` gets at ``endpoint`` (RFC 6749 §4.4), with these ``scopes``, for ``audience`` or
    ``resource`` (RFC 8707) where the server wants to know."""

    iri: str
    endpoint: str
    client: OAuthClient
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    resource: str | None = None
