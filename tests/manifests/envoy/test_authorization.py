"""Rules as RBAC; a condition that Envoy cannot ask is lost on the safe side."""

from __future__ import annotations

import re

from api_gateway_service_mesh.manifests.envoy.authorization import route_authorization
from api_gateway_service_mesh.manifests.envoy.context import Context
from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Route,
    RuleAction,
    TimeWindow,
)
from api_gateway_service_mesh.routing import compile_table
from tests.support.routes import EX, mesh, route


def ruled(*rules: AuthorizationRule) -> Route:
    return route("r", "/*", authorization=Authorization(EX + "r", (AuthorizationPolicy(EX + "p", rules),)))


def context(of: Route) -> Context:
    made = mesh(of)
    return Context(made, compile_table(made), dynamic=True)


def test_who_is_not_let_in_stays_out() -> None:
    nobody = ruled()
    assert route_authorization(context(nobody), nobody)["agw.allow"]["rbac"]["rules"] == {"action": "ALLOW"}


def test_callers_are_known_by_their_spiffe_id() -> None:
    rule = AuthorizationRule(EX + "rule", spiffe_ids=("spiffe://shop/cart",), methods=("GET",))
    route_ = ruled(rule)
    policy = route_authorization(context(route_), route_)["agw.allow"]["rbac"]["rules"]["policies"][rule.iri]
    assert "spiffe://shop/cart" in str(policy["principals"]) and ":method" in str(policy["permissions"])


def test_a_denied_path_is_denied_however_it_is_spelt() -> None:
    route_ = ruled(AuthorizationRule(EX + "rule", RuleAction.DENY, paths=("/admin/*",)))
    made = route_authorization(context(route_), route_)
    (expression,) = re.findall(r"'regex': '([^']*)'", str(made["agw.deny"]))
    expression = expression.replace("\\\\", "\\")
    for spelt in ("/admin/", "/admin/x/", "/%61dmin/x/", "//admin/x/", "/admin%2fx/"):
        assert re.fullmatch(expression, spelt), spelt
    assert not re.fullmatch(expression, "/administrator/")


def test_what_cannot_be_asked_is_lost_on_the_safe_side() -> None:
    window = TimeWindow(EX + "w", (0,), 0, 3600)
    allows = AuthorizationRule(EX + "allows", windows=(window,), spiffe_ids=("spiffe://shop/cart",))
    denies = AuthorizationRule(EX + "denies", RuleAction.DENY, windows=(window,), methods=("POST",))
    route_ = ruled(allows, denies)
    made = context(route_)
    found = route_authorization(made, route_)
    assert "policies" not in found["agw.allow"]["rbac"]["rules"]
    assert list(found["agw.deny"]["rbac"]["rules"]["policies"]) == [denies.iri]
    assert {finding.subject for finding in made.findings} == {allows.iri, denies.iri}
