"""Who may do what, as Istio's policies decide; where they cannot say it, they refuse."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from api_gateway_service_mesh.manifests import NotExpressibleError, render
from api_gateway_service_mesh.manifests.istio.operation import path_forms
from api_gateway_service_mesh.model import (
    Authentication,
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    JwtAuthentication,
    Mesh,
    RuleAction,
    TimeWindow,
)
from api_gateway_service_mesh.routing.path import path_pattern
from tests.support.istio import objects
from tests.support.routes import EX, mesh, route

JWT = JwtAuthentication(EX + "jwt", "https://login", (), "https://login/jwks")
OTHER = JwtAuthentication(EX + "other", "https://other", (), "https://other/jwks", required_scopes=("o",))
ASKED = Authentication(EX + "gateway", (JWT,))
Caller = dict[str, Any]
ALICE: Caller = {"iss": "https://login", "sub": "alice", "scope": ["read"], "tenant": "acme"}


def rule(name: str = "rule", action: str = "ALLOW", **asked: Any) -> AuthorizationRule:
    return AuthorizationRule(EX + name, RuleAction(action), **asked)


def ruled(*rules: AuthorizationRule, scopes: tuple[str, ...] = (), default: str = "ALLOW") -> Authorization:
    policies = (AuthorizationPolicy(EX + "policy", rules),) if rules else ()
    return Authorization(EX + "route", policies, scopes, RuleAction(default))


def _text(pattern: str, value: str) -> bool:
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _path(pattern: str, path: str) -> bool:
    if "{" in pattern:
        wanted, got = pattern.split("/"), path.split("/")
        if wanted[-1] == "{**}":
            return len(got) >= len(wanted) and all(w in ("{*}", g) for w, g in zip(wanted[:-1], got, strict=False))
        return len(wanted) == len(got) and all(w in ("{*}", g) for w, g in zip(wanted, got, strict=True))
    return _text(pattern, path)


def _source(source: dict[str, list[str]], caller: Caller) -> bool:
    token = f"{caller['iss']}/{caller['sub']}" if "iss" in caller else ""
    return (
        any(token and _text(each, token) for each in source.get("requestPrincipals", ["*"] if token else []))
        if "requestPrincipals" in source
        else True
    ) and all(
        (
            any("spiffe" in caller and _text(each, caller["spiffe"]) for each in source.get("principals", ()))
            or "principals" not in source,
            any(
                ipaddress.ip_address(caller.get("ip", "::")) in ipaddress.ip_network(each)
                for each in source.get("remoteIpBlocks", ())
            )
            or "remoteIpBlocks" not in source,
        )
    )


def _when(condition: dict[str, Any], caller: Caller) -> bool:
    name = condition["key"].removeprefix("request.auth.claims[").rstrip("]")
    held = caller.get(name, [])
    return any(
        _text(each, value) for each in condition["values"] for value in (held if isinstance(held, list) else [held])
    )


def _holds(one: dict[str, Any], method: str, path: str, caller: Caller) -> bool:
    operation = one["to"][0]["operation"]
    return (
        any(_path(pattern, path) for pattern in operation["paths"])
        and not any(_path(pattern, path) for pattern in operation.get("notPaths", []))
        and method in operation.get("methods", [method])
        and ("from" not in one or any(_source(each["source"], caller) for each in one["from"]))
        and all(_when(each, caller) for each in one.get("when", []))
    )


def admits(of: Mesh, method: str, path: str, **caller: Any) -> bool:
    """What the policies say of a request."""
    policies = objects(render(of, "istio", allow_loss=True), "AuthorizationPolicy")
    by_action = {each["spec"].get("action", "ALLOW"): each["spec"].get("rules", []) for each in policies}
    held = {action: any(_holds(one, method, path, caller) for one in rules) for action, rules in by_action.items()}
    return not held.get("DENY", False) and held.get("ALLOW", True)


def test_a_rule_that_denies_wins() -> None:
    of = mesh(
        route("all", "/*", authorization=ruled(rule("no", "DENY", paths=("/admin/*",)), rule("yes", methods=("GET",))))
    )
    assert admits(of, "GET", "/x")
    assert not admits(of, "POST", "/x")
    assert not admits(of, "GET", "/admin/x") and not admits(of, "GET", "/admin")


def test_a_policy_that_only_denies_lets_the_rest_through() -> None:
    of = mesh(route("all", "/*", authorization=ruled(rule("no", "DENY", addresses=("10.0.0.0/8",)))))
    assert admits(of, "GET", "/x", ip="192.0.2.1") and not admits(of, "GET", "/x", ip="10.1.2.3")


def test_callers_by_token() -> None:
    asked = rule(subjects=("alice", "admin-*"), claims=("tenant=acme",), scopes=("read",))
    of = mesh(
        route("r", "/r", authentication=ASKED, authorization=ruled(asked, scopes=("read",))), route("open", "/open")
    )
    assert admits(of, "GET", "/r", **ALICE)
    assert not admits(of, "GET", "/r", **{**ALICE, "sub": "bob"})
    assert not admits(of, "GET", "/r", **{**ALICE, "tenant": "other"})
    assert not admits(of, "GET", "/r", **{**ALICE, "scope": ["write"]})
    assert not admits(of, "GET", "/r")
    assert admits(of, "GET", "/open")


def test_callers_by_certificate() -> None:
    of = mesh(route("r", "/r", authorization=ruled(rule(spiffe_ids=("spiffe://a/ns/shop/*",)))))
    assert admits(of, "GET", "/r", spiffe="a/ns/shop/sa/x")
    assert not admits(of, "GET", "/r", spiffe="b/ns/shop/sa/x") and not admits(of, "GET", "/r")


def test_a_principal_of_one_issuer_is_none_of_another() -> None:
    both = Authentication(EX + "gateway", (JWT, OTHER))
    asked = rule(principals=("jwt:https://other/alice", "spiffe://a/b"))
    of = mesh(route("r", "/r", authentication=both, authorization=ruled(asked)))
    assert not admits(of, "GET", "/r", iss="https://login", sub="alice", scope=["o"])
    assert not admits(of, "GET", "/r", iss="https://other", sub="alice")  # its own scope is missing
    assert admits(of, "GET", "/r", iss="https://other", sub="alice", scope=["o"])
    assert admits(of, "GET", "/r", iss="https://login", sub="bob", spiffe="a/b")


def test_denied_by_default() -> None:
    of = mesh(
        route("closed", "/closed", authorization=ruled(default="DENY")),
        route("read", "/read", authorization=ruled(rule(methods=("GET",)), default="DENY")),
    )
    assert not admits(of, "GET", "/closed") and not admits(of, "POST", "/read") and admits(of, "GET", "/read")


def test_what_another_route_denies_is_its_own() -> None:
    no = ruled(rule("no", "DENY"))
    of = mesh(
        route("open", "/a/open"), route("get", "/a/get", methods=("GET",)), route("shut", "/a/*", authorization=no)
    )
    assert admits(of, "GET", "/a/open") and not admits(of, "GET", "/a/x")
    assert not admits(of, "POST", "/a/get")  # Istio cannot tell whose it is, so it refuses


@pytest.mark.parametrize(
    "lacking",
    [
        {"key_owners": ("acme",)}, {"names": ("dns:a",)}, {"windows": (TimeWindow(EX + "w"),)},
        {"spiffe_ids": ("spiffe://a/*/b",)}, {"principals": ("key:acme",)}, {"principals": ("dns:a",)},
        {"spiffe_ids": ("spiffe://a/b",), "principals": ("spiffe://a/*",)},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_asked_is_lost_on_the_safe_side(lacking: dict[str, Any]) -> None:
    for action in ("ALLOW", "DENY"):
        of = mesh(route("r", "/r", authorization=ruled(rule("r", action, methods=("GET",), **lacking))))
        with pytest.raises(NotExpressibleError):
            render(of, "istio")
        assert not admits(of, "GET", "/r", spiffe="a/b")


@pytest.mark.parametrize("action", ["ALLOW", "DENY"])
def test_two_paths_that_cannot_be_joined(action: str) -> None:
    asked = ruled(rule("r", action, paths=("/users/me",)))
    of = mesh(route("users", "/users/{id}", authorization=asked))
    assert not admits(of, "GET", "/users/me") or action == "ALLOW"
    assert not admits(of, "GET", "/users/7")
    assert any(one.subject == EX + "r" for one in render(of, "istio", allow_loss=True).losses)


def test_what_is_only_tried_out_decides_nothing() -> None:
    tried = AuthorizationPolicy(EX + "p", (rule("no", "DENY"),), Enforcement.AUDIT)
    of = mesh(route("r", "/r", authorization=Authorization(EX + "route", (tried,))))
    assert admits(of, "GET", "/r")
    assert any("is not told" in one.message for one in render(of, "istio", allow_loss=True).losses)


def test_path_forms() -> None:
    of = {
        text: path_forms(path_pattern(route("r", text).match.path))
        for text in ("/a", "/a/{x}", "/a/*", "/*", "/a/{x}/*")
    }
    assert of == {"/a": ["/a"], "/a/{x}": ["/a/{*}"], "/a/*": ["/a", "/a/*"], "/*": ["/*"],
                  "/a/{x}/*": ["/a/{*}", "/a/{*}/{**}"]}  # fmt: skip
    assert path_forms(path_pattern(route("r", "/a.*", "RegularExpression").match.path)) is None
