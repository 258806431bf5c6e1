"""Tokens that backends are shown (``agw:ClientCredentials``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import ClientCredentials

from .oauth2 import oauth_client
from .reading import Reading

__all__ = ["ClientCredentialsRow", "ClientCredentialsScopeRow", "client_credentials"]


@dataclass(frozen=True, slots=True)
class ClientCredentialsRow:
    """``client_credentials.rq``."""

    route: str
    credentials: str
    endpoint: str | None
    client: str | None
    secret_ref: str | None
    client_authentication: str | None
    audience: str | None
    resource: str | None


@dataclass(frozen=True, slots=True)
class ClientCredentialsScopeRow:
    """``client_credentials_scope.rq``."""

    credentials: str
    scope: str


def client_credentials(
    rows: Iterable[ClientCredentialsRow], scopes: Iterable[ClientCredentialsScopeRow], reading: Reading
) -> Mapping[str, ClientCredentials]:
    """The credentials of each route that has some, by its IRI."""
    asked: dict[str, list[str]] = defaultdict(list)
    for each in scopes:
        asked[each.credentials].append(each.scope)
    made: dict[str, ClientCredentials] = {}
    found: dict[str, ClientCredentials] = {}
    for row in rows:
        iri = row.credentials
        if iri not in made:
            made[iri] = ClientCredentials(
                iri,
                row.endpoint or "",
                oauth_client(iri, row.client, row.secret_ref, row.client_authentication, reading),
                tuple(sorted(asked[iri])),
                row.audience,
                row.resource,
            )
        found.setdefault(row.route, made[iri])
    return found
