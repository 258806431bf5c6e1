"""What a policy of security headers comes to."""

from __future__ import annotations

from api_gateway_service_mesh.model import SecurityHeaders
from api_gateway_service_mesh.routing.security_headers import header_fields, security_headers_part
from tests.support.gateway import route


def test_the_defaults() -> None:
    usual = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
    assert dict(header_fields(SecurityHeaders(""), secure=False)) == usual
    over_tls = usual | {"Strict-Transport-Security": "max-age=31536000"}
    assert dict(header_fields(SecurityHeaders(""), secure=True)) == over_tls


def test_what_is_set_by_name_takes_the_place_of_a_default() -> None:
    policy = SecurityHeaders("", 60, True, "default-src *", sets=("x-frame-options: SAMEORIGIN", "A:b"))
    assert header_fields(policy, secure=True) == (
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("Content-Security-Policy", "default-src *"),
        ("Strict-Transport-Security", "max-age=60; includeSubDomains"),
        ("x-frame-options", "SAMEORIGIN"),
        ("A", "b"),
    )


def test_explain_says_what_answers_get_and_lose() -> None:
    policy = SecurityHeaders("urn:c", 60, True, "b", "origin", "SAMEORIGIN", ("A: b",), ("server",))
    part = security_headers_part(route("/x", security_headers=policy), policy)
    assert "Strict-Transport-Security: max-age=60; includeSubDomains" in part.text
    assert part.text.endswith("A: b; without server")
    assert [citation.object for citation in part.citations] == [
        "urn:c", "true", "b", "origin", "SAMEORIGIN", "A: b", "server",
    ]  # fmt: skip
