"""Logins, from text to model."""

from __future__ import annotations

import pytest

from tests.projection.test_authentication import EX, ROUTE, SERVICE, assembled, codes, mesh_of

LOGIN = (
    'a agw:OpenIdLogin ; agw:issuer "https://i" ; agw:clientId "c" ; agw:externalUrl "https://s/" ; '
    'agw:sessionKeyRef "env:HOME"'
)
ALL = ROUTE.replace('"/a"', '"/*"')


def test_what_is_stated_arrives() -> None:
    more = (
        'agw:requestedScope "email" , "openid" ; agw:callbackPath "/in" ; agw:logoutPath "/out" ; '
        'agw:formerSessionKeyRef "env:PATH" ; agw:sessionLifetime "PT1H"^^xsd:dayTimeDuration ; '
        'agw:requiredClaim "t=1" ; agw:forwardClaim "sub" ; agw:forwardAccessToken true ; agw:signingAlgorithm "PS256"'
    )
    (route,) = mesh_of(SERVICE + f"{ALL} ; agw:hasAuthentication ex:l . ex:l {LOGIN} ; {more} .").routes
    assert route.authentication is not None
    (login,) = route.authentication.logins
    assert (login.iri, login.issuer, login.client.client_id, login.external_url) == (
        EX + "l",
        "https://i",
        "c",
        "https://s",
    )
    assert (login.session_key_ref, login.former_session_key_refs) == ("env:HOME", ("env:PATH",))
    assert (login.scopes, login.callback_path, login.logout_path) == (("openid", "email"), "/in", "/out")
    assert (login.session_seconds, login.algorithms) == (3600.0, ("PS256",))
    assert (login.required_claims, login.forwarded_claims, login.forward_access_token) == (("t=1",), ("sub",), True)
    assert route.authentication.takes_claims


@pytest.mark.parametrize("missing", ["issuer", "clientId", "externalUrl", "sessionKeyRef"])
def test_what_it_takes_is_demanded(missing: str) -> None:
    stated = LOGIN.replace(f"agw:{missing}", "rdfs:comment")
    assert codes(f"{ALL} ; agw:hasAuthentication ex:l . ex:l {stated} .") == ["incomplete-authentication"]


@pytest.mark.parametrize(
    ("route", "lost"),
    [(ALL, False), (ROUTE, True), (ALL + '; agw:httpMethod "POST"', True), (ROUTE.replace("/a", "/oauth2/*"), False)],
)
def test_the_callback_must_lead_somewhere(route: str, lost: bool) -> None:
    found = codes(f"{route} ; agw:hasAuthentication ex:l . ex:l {LOGIN} .")
    assert found == (["callback-without-route"] if lost else [])


def test_a_session_key_that_stands_there_is_never_repeated() -> None:
    found = assembled(SERVICE + f"{ALL} ; agw:hasAuthentication ex:l . ex:l {LOGIN.replace('env:HOME', 'hunter2')} .")
    assert {finding.code for finding in found.findings} == {"literal-secret"}
    assert "hunter2" not in repr(found.findings)
