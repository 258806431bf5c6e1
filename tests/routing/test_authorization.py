"""Authorization in words."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    RuleAction,
    TimeWindow,
)
from api_gateway_service_mesh.routing.authorization import authorization_parts, rule_text, window_text
from tests.support.gateway import route


def test_rules_in_words() -> None:
    rule = AuthorizationRule("urn:r", RuleAction.DENY, subjects=("a", "b"), scopes=("x", "y"), methods=("GET",))
    assert rule_text(rule) == "denies method GET; scope x and y; subject a or b"
    assert rule_text(AuthorizationRule("urn:r")) == "allows every request"
    assert window_text(TimeWindow("urn:w", (0, 4), 30600, 61200, "Europe/Berlin")) == (
        "08:30-17:00 Europe/Berlin, Monday, Friday"
    )
    assert window_text(TimeWindow("urn:w", (6,))) == "any hour, Sunday"


def test_the_parts_of_a_route() -> None:
    rules = (AuthorizationRule("urn:r", windows=(TimeWindow("urn:w"),)),)
    stated = Authorization(
        "urn:test:route",
        (AuthorizationPolicy("urn:p", rules, Enforcement.AUDIT), AuthorizationPolicy("urn:q")),
        ("s",),
        RuleAction.DENY,
    )
    parts = authorization_parts(route(authorization=stated))
    assert [(part.iri, part.text) for part in parts] == [
        ("urn:test:route", "takes the scope s"),
        ("urn:p", "only audited: denies what none of its rules allows"),
        ("urn:r", "allows any hour"),
        ("urn:q", "has no rule: denies everything"),
    ]
    only = Authorization("urn:test:route", default=RuleAction.DENY)
    assert authorization_parts(route(authorization=only))[0].text.startswith("what no rule allows is denied")
    assert authorization_parts(route()) == []
