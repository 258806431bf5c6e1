"""OAuth 2 as parts of a decision: told with the triples behind it, never with a secret."""

from __future__ import annotations

from api_gateway_service_mesh.model import OAuthClient, TokenIntrospection
from api_gateway_service_mesh.routing.oauth2 import introspection_part


def test_who_is_asked_is_told_and_cited() -> None:
    client = OAuthClient("gateway", "env:SECRET")
    asked = TokenIntrospection("urn:o", "https://id/i", client, None, ("shop",), ("read",), ("tenant=acme",))
    part = introspection_part("urn:route", asked)
    assert part.text == "a token that https://id/i says is active, for shop, scope read, claims tenant=acme"
    cited = {citation.predicate.partition("#")[2] for citation in part.citations}
    expected = {"hasAuthentication", "introspectionEndpoint", "clientId", "audience", "requiredScope", "requiredClaim"}
    assert cited == expected
    assert "SECRET" not in repr(part)
