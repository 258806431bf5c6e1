"""Client credentials from triples to the model, stated and inherited."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import ClientAuthentication, ClientCredentials, OAuthClient
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route , ex:Api ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:q a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:Api rdfs:subClassOf agw:Route ; agw:hasClientCredentials ex:as .
ex:as a agw:ClientCredentials ; agw:tokenEndpoint "https://id/token" ; agw:clientId "shop" ; agw:clientSecretRef "env:AGW_S" """


def test_all_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_S", "secret")
    client = OAuthClient("shop", "env:AGW_S")
    other, inheriting = mesh_of(TEXT + ".").routes
    assert inheriting.client_credentials == ClientCredentials(EX + "as", "https://id/token", client)
    assert other.client_credentials is None
    _, whole = mesh_of(
        TEXT
        + """; agw:requestedScope "b" , "a" ; agw:tokenAudience "aud" ; agw:tokenResource "urn:res" ;
        agw:clientAuthentication "client_secret_post" ."""
    ).routes
    posted = OAuthClient("shop", "env:AGW_S", ClientAuthentication.POST)
    assert whole.client_credentials == ClientCredentials(
        EX + "as", "https://id/token", posted, ("a", "b"), "aud", "urn:res"
    )
