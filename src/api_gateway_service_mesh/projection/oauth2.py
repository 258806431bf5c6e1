"""OAuth 2 (``agw:OAuth2``): tokens that their server is asked about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import ClientAuthentication, OAuthClient, TokenIntrospection
from api_gateway_service_mesh.vocabulary import AGW

from .jwt import distinct_headers
from .reading import Reading, name_of
from .secret import secret_reference

__all__ = ["OAuth2Row", "OAuth2ValueRow", "introspections", "oauth_client", "statement_missing"]

_MAX_LIFETIME_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class OAuth2Row:
    """``oauth2.rq``."""

    oauth2: str
    endpoint: str | None
    client: str | None
    secret_ref: str | None
    client_authentication: str | None
    issuer: str | None
    lifetime: str | None


@dataclass(frozen=True, slots=True)
class OAuth2ValueRow:
    """``oauth2_value.rq``."""

    oauth2: str
    property: str
    value: str


def introspections(
    rows: Iterable[OAuth2Row], values: Iterable[OAuth2ValueRow], used: frozenset[str], reading: Reading
) -> dict[str, TokenIntrospection]:
    """Token introspections by IRI. What misses something is told of when it is among `used`, and accepts no token."""
    stated: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        stated[value.oauth2][value.property].append(value.value)
    found: dict[str, TokenIntrospection] = {}
    for row in rows:
        if row.oauth2 not in found:
            found[row.oauth2] = _introspection(row, stated[row.oauth2], row.oauth2 in used, reading)
    return found


def _introspection(row: OAuth2Row, stated: Mapping[str, list[str]], used: bool, reading: Reading) -> TokenIntrospection:
    iri = row.oauth2
    if used:
        statement_missing(iri, AGW.introspectionEndpoint, row.endpoint, '"https://id.example.com/introspect"', reading)
        statement_missing(iri, AGW.clientId, row.client, '"gateway"', reading)
        statement_missing(iri, AGW.clientSecretRef, row.secret_ref, '"env:GATEWAY_SECRET"', reading)
    lifetime = reading.seconds(iri, AGW.introspectionLifetime, row.lifetime, 60.0)
    if not 0 <= lifetime <= _MAX_LIFETIME_SECONDS:
        reading.note(
            "invalid-value",
            f"{name_of(iri)}: agw:introspectionLifetime is {row.lifetime!r}, which is not between zero and one hour",
            iri,
            AGW.introspectionLifetime,
            row.lifetime,
            allowed='"PT0S" to "PT1H"',
        )
    forwarded = tuple(sorted(stated.get(AGW.forwardClaim, ())))
    distinct_headers(iri, forwarded, reading)
    return TokenIntrospection(
        iri,
        row.endpoint or "",
        oauth_client(iri, row.client, row.secret_ref, row.client_authentication, reading),
        row.issuer,
        tuple(sorted(stated.get(AGW.audience, ()))),
        tuple(sorted(stated.get(AGW.requiredScope, ()))),
        tuple(sorted(stated.get(AGW.requiredClaim, ()))),
        forwarded,
        lifetime,
    )


def oauth_client(
    iri: str, client: str | None, secret_ref: str | None, authentication: str | None, reading: Reading
) -> OAuthClient:
    """As whom `iri` speaks to its authorization server."""
    return OAuthClient(
        client or "",
        secret_reference(iri, AGW.clientSecretRef, secret_ref, reading, noun="client secret"),
        reading.choice(iri, AGW.clientAuthentication, authentication, ClientAuthentication, ClientAuthentication.BASIC),
    )


def statement_missing(iri: str, term: str, value: object, example: str, reading: Reading) -> None:
    """Tell that `iri`, which is demanded of callers, does not state `term`."""
    if not value:
        name = name_of(term)
        reading.note(
            "incomplete-authentication",
            f"{name_of(iri)} states no agw:{name}: nobody could be let in",
            iri,
            term,
            remedy=f"add agw:{name} {example}",
        )
