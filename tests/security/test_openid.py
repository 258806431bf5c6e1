"""What a discovery document may say."""

from __future__ import annotations

from typing import Any

import pytest

from api_gateway_service_mesh.security.authorization_server import ServerError
from api_gateway_service_mesh.security.openid import read_discovery

ISSUER = "https://id.example.com"
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?tenant=a",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": "http://127.0.0.1:99/keys",
}


def test_what_is_used_of_it() -> None:
    facts = read_discovery(GOOD, ISSUER)
    assert (facts.token_endpoint, facts.end_session_endpoint, facts.tells_issuer) == (f"{ISSUER}/token", None, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", ISSUER + "/"),
        ("issuer", "https://evil.example"),
        ("issuer", None),
        ("token_endpoint", "http://id.example.com/token"),
        ("token_endpoint", "https://a@b/token"),
        ("token_endpoint", "https://id.example.com\\@evil/token"),
        ("token_endpoint", "https://id.example.com/token#x"),
        ("token_endpoint", "file:/etc/passwd"),
        ("token_endpoint", None),
        ("token_endpoint", ["https://id.example.com/token"]),
        ("jwks_uri", "http://127.0.0.1.evil/keys"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("end_session_endpoint", "https://id.example.com/a\r\nX: y"),
        ("code_challenge_methods_supported", ["plain"]),
    ],
)
def test_another_s_document_or_another_s_addresses_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ServerError):
        read_discovery({**GOOD, name: value}, ISSUER)
