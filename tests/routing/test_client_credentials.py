"""What is said of the tokens that backends are shown."""

from __future__ import annotations

from api_gateway_service_mesh.model import ClientCredentials, OAuthClient
from api_gateway_service_mesh.routing.client_credentials import client_credentials_part
from tests.support.routes import route


def test_who_for_whom_and_with_what() -> None:
    served = route("r", "/")
    plain = ClientCredentials("urn:as", "https://id/token", OAuthClient("shop", "env:S"))
    part = client_credentials_part(served, plain)
    assert part.text == "Authorization: a token of shop from https://id/token"
    whole = ClientCredentials("urn:as", "https://id/token", OAuthClient("shop"), ("a", "b"), "aud", "urn:res")
    part = client_credentials_part(served, whole)
    assert part.text == "Authorization: a token of shop from https://id/token, with a b, for aud, for urn:res"
    assert len(part.citations) == 7
