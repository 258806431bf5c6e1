"""OAuth 2, from text to model."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import ClientAuthentication, OAuthClient, TokenIntrospection
from tests.projection.test_authentication import EX, ROUTE, SERVICE, assembled, codes, mesh_of

ASKED = 'a agw:OAuth2 ; agw:introspectionEndpoint "https://i/t" ; agw:clientId "c" ; agw:clientSecretRef "env:HOME"'


def test_what_is_stated_arrives() -> None:
    more = (
        'agw:issuer "https://i" ; agw:audience "b" , "a" ; agw:requiredScope "r" ; agw:requiredClaim "t=1" ; '
        'agw:forwardClaim "sub" ; agw:clientAuthentication "client_secret_post" ; '
        'agw:introspectionLifetime "PT5S"^^xsd:dayTimeDuration'
    )
    (route,) = mesh_of(SERVICE + f"{ROUTE} ; agw:hasAuthentication ex:o . ex:o {ASKED} ; {more} .").routes
    assert route.authentication is not None
    client = OAuthClient("c", "env:HOME", ClientAuthentication.POST)
    assert route.authentication.introspections == (
        TokenIntrospection(EX + "o", "https://i/t", client, "https://i", ("a", "b"), ("r",), ("t=1",), ("sub",), 5.0),
    )


@pytest.mark.parametrize("missing", ["introspectionEndpoint", "clientId", "clientSecretRef"])
def test_what_it_takes_is_demanded(missing: str) -> None:
    stated = ASKED.replace(f"agw:{missing}", "rdfs:comment")
    assert codes(f"{ROUTE} ; agw:hasAuthentication ex:o . ex:o {stated} .") == ["incomplete-authentication"]
    assert codes(f"{ROUTE} . ex:o {stated} .") == [], "nobody is asked for it"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('agw:introspectionLifetime "PT2H"^^xsd:dayTimeDuration', "invalid-value"),
        ('agw:clientAuthentication "none"', "invalid-value"),
        ('agw:forwardClaim "a_b", "a-b"', "same-claim-header"),
    ],
)
def test_wrong_values_are_told(more: str, code: str) -> None:
    assert codes(f"{ROUTE} ; agw:hasAuthentication ex:o . ex:o {ASKED} ; {more} .") == [code]


def test_a_secret_that_stands_there_is_never_repeated() -> None:
    text = SERVICE + f"{ROUTE} ; agw:hasAuthentication ex:o . ex:o {ASKED.replace('env:HOME', 'hunter2')} ."
    found = assembled(text)
    assert [finding.code for finding in found.findings] == ["literal-secret"]
    assert "hunter2" not in repr(found.findings)
