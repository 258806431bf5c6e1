"""Logins (``agw:OpenIdLogin``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api_gateway_service_mesh.model import JwtAlgorithm, OpenIdLogin, PathKind, Route
from api_gateway_service_mesh.vocabulary import AGW

from .jwt import distinct_headers
from .oauth2 import oauth_client, statement_missing
from .reading import Reading, name_of
from .secret import secret_reference

__all__ = ["LoginRow", "LoginValueRow", "logins", "refuse_lost_callbacks"]


@dataclass(frozen=True, slots=True)
class LoginRow:
    """``login.rq``."""

    login: str
    issuer: str | None
    client: str | None
    secret_ref: str | None
    client_authentication: str | None
    external_url: str | None
    session_key_ref: str | None
    callback_path: str | None
    logout_path: str | None
    lifetime: str | None
    forward_access_token: str | None


@dataclass(frozen=True, slots=True)
class LoginValueRow:
    """``login_value.rq``."""

    login: str
    property: str
    value: str


def logins(
    rows: Iterable[LoginRow], values: Iterable[LoginValueRow], used: frozenset[str], reading: Reading
) -> dict[str, OpenIdLogin]:
    """Logins by IRI. What misses something is told of when it is among `used`, and lets nobody in."""
    stated: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        stated[value.login][value.property].append(value.value)
    found: dict[str, OpenIdLogin] = {}
    for row in rows:
        if row.login not in found:
            found[row.login] = _login(row, stated[row.login], row.login in used, reading)
    return found


def _login(row: LoginRow, stated: Mapping[str, list[str]], used: bool, reading: Reading) -> OpenIdLogin:
    iri = row.login
    standard = OpenIdLogin(iri, "", oauth_client(iri, None, None, None, reading), "", None)
    if used:
        statement_missing(iri, AGW.issuer, row.issuer, '"https://id.example.com"', reading)
        statement_missing(iri, AGW.clientId, row.client, '"gateway"', reading)
        statement_missing(iri, AGW.externalUrl, row.external_url, '"https://shop.example.com"', reading)
        statement_missing(iri, AGW.sessionKeyRef, row.session_key_ref, '"env:SESSION_KEY"', reading)
    algorithms = {
        reading.choice(iri, AGW.signingAlgorithm, text, JwtAlgorithm, standard.algorithms[0])
        for text in stated.get(AGW.signingAlgorithm, ())
    }
    former = [
        secret_reference(iri, AGW.formerSessionKeyRef, reference, reading, noun="session key")
        for reference in sorted(stated.get(AGW.formerSessionKeyRef, ()))
    ]
    forwarded = tuple(sorted(stated.get(AGW.forwardClaim, ())))
    distinct_headers(iri, forwarded, reading)
    return OpenIdLogin(
        iri,
        row.issuer or "",
        oauth_client(iri, row.client, row.secret_ref, row.client_authentication, reading),
        (row.external_url or "").rstrip("/"),
        secret_reference(iri, AGW.sessionKeyRef, row.session_key_ref, reading, noun="session key"),
        tuple(reference for reference in former if reference is not None),
        ("openid", *sorted(set(stated.get(AGW.requestedScope, ())) - {"openid"})),
        row.callback_path or standard.callback_path,
        row.logout_path or standard.logout_path,
        reading.seconds(iri, AGW.sessionLifetime, row.lifetime, standard.session_seconds),
        tuple(sorted(algorithms)) or standard.algorithms,
        tuple(sorted(stated.get(AGW.requiredClaim, ()))),
        forwarded,
        reading.boolean(iri, AGW.forwardAccessToken, row.forward_access_token),
    )


def refuse_lost_callbacks(served: Iterable[Route], reading: Reading) -> None:
    """A provider sends browsers to the callback; where no route with the login takes it, nobody can."""
    takes: dict[OpenIdLogin, bool] = {}
    for route in served:
        for login in route.authentication.logins if route.authentication is not None else ():
            takes[login] = takes.get(login, False) or _takes(route, login.callback_path)
    for login, taken in takes.items():
        if not taken:
            reading.note(
                "callback-without-route",
                f"{name_of(login.iri)}: no route that demands it takes the callback path {login.callback_path}, so "
                "nobody could come back from logging in",
                login.iri,
                AGW.callbackPath,
                login.callback_path,
                remedy=f'add a route with agw:routePath "{login.callback_path}" that demands this login, or state an '
                "agw:callbackPath below one that does",
            )


def _takes(route: Route, path: str) -> bool:
    kind, text, methods = route.match.path.kind, route.match.path.text, route.match.methods
    if methods and "GET" not in methods:
        return False
    if kind is PathKind.EXACT:
        return text == path
    if kind is PathKind.PREFIX:
        return path.startswith(text.rstrip("/") + "/") or path == text
    return True  # templates and expressions are for the table to judge
