"""Who shows a token, and where one is needed: as Istio's policies decide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Authentication, JwtAuthentication, Mesh
from tests.support.istio import objects, one
from tests.support.mesh_model import published
from tests.support.routes import EX, mesh, route

JWT = JwtAuthentication(EX + "jwt", "https://login", ("shop",), "https://login/jwks")
ASKED = Authentication(EX + "gateway", (JWT,))


def _matches(pattern: str, path: str) -> bool:
    if "{" in pattern:
        wanted, got = pattern.split("/"), path.split("/")
        return len(wanted) == len(got) and all(w in ("{*}", g) for w, g in zip(wanted, got, strict=True))
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def admits(of: Mesh, path: str, method: str, issuer: str | None) -> bool:
    """What the AuthorizationPolicy says of a request."""
    for rule in one(render(of, "istio", allow_loss=True), "AuthorizationPolicy")["spec"].get("rules", []):
        operation = rule["to"][0]["operation"]
        principals = [p for source in rule.get("from", []) for p in source["source"]["requestPrincipals"]]
        if (
            any(_matches(pattern, path) for pattern in operation["paths"])
            and not any(_matches(pattern, path) for pattern in operation.get("notPaths", []))
            and method in operation.get("methods", [method])
            and (not principals or f"{issuer}/*" in principals)
        ):
            return True
    return False


@pytest.fixture
def guarded() -> Mesh:
    return mesh(
        route("admin", "/admin/*", authentication=ASKED),
        route("read", "/admin/open", methods=("GET",)),
        route("user", "/users/{id}", authentication=ASKED),
        route("all", "/*"),
    )


def test_only_those_with_a_token_get_to_what_asks_for_one(guarded: Mesh) -> None:
    assert admits(guarded, "/admin/x", "GET", "https://login")
    assert not admits(guarded, "/admin/x", "GET", None)
    assert not admits(guarded, "/admin", "GET", "https://other")
    assert admits(guarded, "/users/7", "GET", "https://login")
    assert not admits(guarded, "/users/7", "GET", None)


def test_what_asks_for_none_is_open_and_nothing_asked_for_slips_through_it(guarded: Mesh) -> None:
    assert admits(guarded, "/elsewhere", "GET", None)
    assert admits(guarded, "/admin/open", "GET", None)
    assert not admits(guarded, "/admin/open", "POST", None)


def test_claims_scopes_and_headers_for_backends() -> None:
    jwt = replace(JWT, required_scopes=("read",), required_claims=("tenant=a", "sub"), forwarded_claims=("sub",))
    asked = replace(published().routes[0], authentication=Authentication(EX + "g", (jwt,)))
    rendering = render(replace(published(), routes=(asked,)), "istio")
    (rule,) = one(rendering, "RequestAuthentication")["spec"]["jwtRules"]
    assert rule["outputClaimToHeaders"] == [{"header": "x-jwt-claim-sub", "claim": "sub"}]
    (allowed,) = one(rendering, "AuthorizationPolicy")["spec"]["rules"]
    assert {"key": "request.auth.claims[scope]", "values": ["read"]} in allowed["when"]
    assert {"key": "request.auth.claims[sub]", "values": ["*"]} in allowed["when"]


def test_what_cannot_be_said_is_refused_and_told() -> None:
    expression = mesh(route("odd", "/x.*", "RegularExpression", authentication=ASKED))
    rendering = render(expression, "istio", allow_loss=True)
    assert any("its requests are refused" in loss.message for loss in rendering.losses)
    assert "rules" not in one(rendering, "AuthorizationPolicy")["spec"]
    assert objects(render(published(), "istio"), "AuthorizationPolicy") == []
