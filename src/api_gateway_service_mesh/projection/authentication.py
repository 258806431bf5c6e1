"""Who demands authentication, and whether what they demand can be enforced (``agw:hasAuthentication``).

Nothing that is demanded is passed over: what cannot be enforced refuses the configuration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import (
    ApiKey,
    Authentication,
    JwtAuthentication,
    KeyKind,
    OpenIdLogin,
    RequestKey,
    Route,
    TokenIntrospection,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["AuthenticationRow", "authentications", "demanded", "refuse_unvouched_keys"]


@dataclass(frozen=True, slots=True)
class AuthenticationRow:
    """``authentication.rq``: a route or gateway, and one of the authentications that it demands."""

    demander: str
    authentication: str


def authentications(
    rows: Iterable[AuthenticationRow],
    jwt: Mapping[str, JwtAuthentication],
    keys: Mapping[str, ApiKey],
    introspections: Mapping[str, TokenIntrospection],
    logins: Mapping[str, OpenIdLogin],
    reading: Reading,
) -> dict[str, Authentication]:
    """What each route or gateway demands, by its IRI."""
    tokens: dict[str, list[JwtAuthentication]] = defaultdict(list)
    callers: dict[str, list[ApiKey]] = defaultdict(list)
    asked: dict[str, list[TokenIntrospection]] = defaultdict(list)
    people: dict[str, list[OpenIdLogin]] = defaultdict(list)
    demanders: dict[str, None] = {}
    for row in rows:
        demanders[row.demander] = None
        if row.authentication in jwt:
            tokens[row.demander].append(jwt[row.authentication])
        elif row.authentication in introspections:
            asked[row.demander].append(introspections[row.authentication])
        elif row.authentication in logins:
            people[row.demander].append(logins[row.authentication])
        elif row.authentication in keys:
            callers[row.demander].append(keys[row.authentication])
        else:
            reading.note(
                "authentication-not-enforced",
                f"{name_of(row.demander)}: agw:hasAuthentication names {name_of(row.authentication)}, which is no "
                "agw:JWTAuthentication, agw:OAuth2, agw:OpenIdLogin or agw:ApiKey and not enforced by this version: "
                "serving it would let requests in unauthenticated",
                row.demander,
                AGW.hasAuthentication,
                row.authentication,
                remedy="name an agw:JWTAuthentication, an agw:OAuth2 or an agw:ApiKey",
            )
    return {
        demander: Authentication(
            demander, tuple(tokens[demander]), tuple(callers[demander]), tuple(asked[demander]), tuple(people[demander])
        )
        for demander in demanders
    }


def demanded(route: str, gateway: str, stated: Mapping[str, Authentication]) -> Authentication | None:
    """What callers of `route` must show: what it states itself, else what its gateway does."""
    return stated.get(route) or stated.get(gateway)


def refuse_unvouched_keys(route: Route, reading: Reading) -> None:
    """A policy keyed by API key or claim counts on authentication: without, callers would be whom they like to be."""
    authentication = route.authentication or Authentication(route.iri)
    keyed: list[tuple[str, str, RequestKey]] = [
        (limit.iri, AGW.limitKey, key) for limit in route.rate_limits for key in limit.keys
    ]
    if route.balancer is not None and route.balancer.hash_key is not None:
        keyed.append((route.balancer.iri, AGW.hashKey, route.balancer.hash_key))
    for iri, term, key in keyed:
        if key.kind is KeyKind.API_KEY and not authentication.api_keys:
            needed = "agw:ApiKey"
        elif key.kind is KeyKind.CLAIM and not authentication.takes_claims:
            needed = "agw:JWTAuthentication"
        else:
            continue
        reading.note(
            "unauthenticated-key",
            f"{name_of(iri)}: the key {str(key)!r} needs authentication, and {route.name} demands no {needed}: nothing "
            "vouches for it, and whoever changes it is somebody else",
            iri,
            term,
            str(key),
            allowed='"client-address", "header:NAME" or "cookie:NAME"',
            remedy=f"add agw:hasAuthentication with an {needed} to {route.name} or to the gateway",
        )
