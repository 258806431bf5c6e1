"""Who may do what: deny wins, order means nothing, and each kind of condition holds where it should."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Caller,
    Enforcement,
    RuleAction,
    TimeWindow,
    claim_says,
)
from api_gateway_service_mesh.policies.authorization import (
    AccessRequest,
    AccessVerdict,
    Authorizer,
    pattern_holds,
    readings,
    window_holds,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()  # a Monday
ALICE = Caller("https://id/", "alice", {"sub": "alice", "roles": ["admin", "dev"]}, frozenset({"a", "b"}))


def asked(caller: Caller = ALICE, **more: Any) -> AccessRequest:
    return AccessRequest(caller, **{"method": "GET", "path": "/x", "address": "192.0.2.7", "now": NOON, **more})


def rule(iri: str = "urn:r", action: RuleAction = RuleAction.ALLOW, **more: Any) -> AuthorizationRule:
    return AuthorizationRule(iri, action, **more)


def policy(*rules: AuthorizationRule, iri: str = "urn:p", enforcement: Enforcement = Enforcement.ENFORCE):  # type: ignore[no-untyped-def]
    return AuthorizationPolicy(iri, rules, enforcement)


def decided(request: AccessRequest, *policies: AuthorizationPolicy, default: RuleAction = RuleAction.ALLOW):  # type: ignore[no-untyped-def]
    return Authorizer(Authorization("urn:route", policies, default=default)).decide(request)


def holds(request: AccessRequest, **conditions: Any) -> bool:
    return bool(decided(request, policy(rule(**conditions))).allowed)


METHODS = st.lists(st.sampled_from(["GET", "PUT", "POST"]), max_size=2, unique=True).map(tuple)
RULES = st.builds(
    AuthorizationRule,
    st.integers(0, 99).map(lambda number: f"urn:r{number:02}"),
    st.sampled_from(RuleAction),
    methods=METHODS,
    subjects=st.sampled_from([(), ("alice",), ("b*",), ("alice", "bob")]),
    addresses=st.sampled_from([(), ("192.0.2.0/24",), ("2001:db8::/32",)]),
)
POLICIES = st.lists(
    st.builds(
        AuthorizationPolicy,
        st.integers(0, 9).map(lambda number: f"urn:p{number}"),
        st.lists(RULES, max_size=4, unique_by=lambda each: each.iri).map(tuple),
        st.sampled_from(Enforcement),
    ),
    max_size=4,
    unique_by=lambda each: each.iri,
)
REQUESTS = st.builds(
    asked,
    st.sampled_from([ALICE, Caller(subject="bob"), Caller()]),
    method=st.sampled_from(["GET", "PUT"]),
    address=st.sampled_from(["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.9", "nowhere"]),
)


def reference(policies: list[AuthorizationPolicy], request: AccessRequest, default: RuleAction) -> bool:
    """The rules of the house, told once more and slowly."""
    enforced = [each for each in policies if each.enforcement is Enforcement.ENFORCE]
    matching = [each.action for one in enforced for each in one.rules if by_hand(each, request)]
    if RuleAction.DENY in matching:
        return False
    if RuleAction.ALLOW in matching:
        return True
    if any(not one.rules or RuleAction.ALLOW in [each.action for each in one.rules] for one in enforced):
        return False
    return default is RuleAction.ALLOW


def by_hand(each: AuthorizationRule, request: AccessRequest) -> bool:
    subject, address = request.caller.subject, request.address
    return (
        (not each.methods or request.method in each.methods)
        and (not each.subjects or subject in each.subjects or ("b*" in each.subjects and subject.startswith("b")))
        and (
            not each.addresses
            or ("192.0.2.0/24" in each.addresses and "192.0.2." in address)
            or ("2001:db8::/32" in each.addresses and address.startswith("2001:db8:"))
        )
    )


@given(POLICIES, REQUESTS, st.sampled_from(RuleAction), st.randoms())
def test_deny_wins_and_order_means_nothing(
    policies: list[AuthorizationPolicy], request: AccessRequest, default: RuleAction, chance: random.Random
) -> None:
    verdict = decided(request, *policies, default=default)
    assert verdict.allowed == reference(policies, request, default)
    shuffled = [
        AuthorizationPolicy(each.iri, tuple(chance.sample(each.rules, len(each.rules))), each.enforcement)
        for each in chance.sample(policies, len(policies))
    ]
    assert decided(request, *shuffled, default=default) == verdict


@given(POLICIES, REQUESTS)
def test_one_more_rule_that_denies_never_lets_anybody_in(
    policies: list[AuthorizationPolicy], request: AccessRequest
) -> None:
    before = decided(request, *policies)
    after = decided(request, *policies, policy(rule("urn:deny", RuleAction.DENY), iri="urn:q"))
    assert not after.allowed
    assert before.allowed or not after.allowed


@given(POLICIES, REQUESTS)
def test_what_only_audits_decides_nothing_and_is_told(
    policies: list[AuthorizationPolicy], request: AccessRequest
) -> None:
    enforced = [each for each in policies if each.enforcement is Enforcement.ENFORCE]
    verdict = decided(request, *policies)
    alone = decided(request, *enforced)
    assert (verdict.allowed, verdict.rule, verdict.policy) == (alone.allowed, alone.rule, alone.policy)
    audits = [each for each in policies if each.enforcement is Enforcement.AUDIT]
    would = {each.iri for each in audits if not reference([policy(*each.rules)], request, RuleAction.ALLOW)}
    assert {iri for iri, _ in verdict.audited} == would


def test_a_policy_without_rules_and_the_gateway_s_default() -> None:
    assert decided(asked(), policy()) == AccessVerdict(False, "urn:p", None)
    assert decided(asked()) == AccessVerdict(True, None, None)
    assert decided(asked(), default=RuleAction.DENY) == AccessVerdict(False, None, None)
    denies = policy(rule("urn:d", RuleAction.DENY, methods=("PUT",)))
    assert decided(asked(), denies).allowed
    assert not decided(asked(), denies, default=RuleAction.DENY).allowed
    assert decided(asked(), policy(rule()), default=RuleAction.DENY) == AccessVerdict(True, "urn:p", "urn:r")


@pytest.mark.parametrize(
    ("conditions", "request_", "held"),
    [
        ({"scopes": ("a", "b")}, asked(), True),
        ({"scopes": ("a", "c")}, asked(), False),
        ({"issuers": ("https://id/",), "subjects": ("al*",)}, asked(), True),
        ({"issuers": ("https://other/",), "subjects": ("al*",)}, asked(), False),
        ({"subjects": ("*",)}, asked(Caller()), False),
        ({"principals": ("jwt:https://id//alice",)}, asked(), True),
        ({"principals": ("key:ac*",)}, asked(Caller(key_owner="acme")), True),
        ({"principals": ("dns:*.shop",)}, asked(Caller(names=("dns:a.shop",))), True),
        ({"spiffe_ids": ("spiffe://d/ns/*",)}, asked(Caller(spiffe_id="spiffe://d/ns/x")), True),
        ({"spiffe_ids": ("spiffe://d/ns/*",)}, asked(Caller(spiffe_id="spiffe://e/ns/x")), False),
        ({"names": ("dns:a.shop",)}, asked(Caller(names=("dns:a.shop",))), True),
        ({"key_owners": ("acme",)}, asked(Caller(key_owner="acme2")), False),
        ({"claims": ("roles=admin", "roles=ops", "sub")}, asked(), True),
        ({"claims": ("roles=admin", "tenant=x")}, asked(), False),
        ({"addresses": ("192.0.2.0/24",)}, asked(address="::ffff:192.0.2.1"), True),
        ({"addresses": ("192.0.2.0/24",)}, asked(address="192.0.3.1"), False),
        ({"addresses": ("0.0.0.0/0",)}, asked(address="unknown"), False),
        ({"paths": ("/a/*",)}, asked(path="/a"), True),
        ({"paths": ("/a/*",)}, asked(path="/a/b/c"), True),
        ({"paths": ("/a/*",)}, asked(path="/ab"), False),
        ({"paths": ("/u/{id}/o",)}, asked(path="/u/7/o"), True),
        ({"paths": ("/u/{id}/o",)}, asked(path="/u//o"), False),
        ({"paths": ("/u/{id}",)}, asked(path="/u/7/o"), False),
        ({"paths": ("/admin",)}, asked(path="/%61dmin"), False),
    ],
)
def test_conditions(conditions: dict[str, Any], request_: AccessRequest, held: bool) -> None:
    assert holds(request_, **conditions) is held


@pytest.mark.parametrize(
    "path", ["/admin/x", "/%61dmin/x", "/admin%2Fx", "//admin//x", "/admin;v=1/x", "/%2561dmin/x", "/x//admin/../admin"]
)
def test_who_denies_looks_at_every_reading_of_a_path(path: str) -> None:
    denies = policy(rule("urn:d", RuleAction.DENY, paths=("/admin/*", "/x/admin/*")))
    assert not decided(asked(path=path), denies).allowed
    assert path in readings(path)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_patterns_are_what_a_slow_matcher_says(pattern: str, text: str) -> None:
    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slow(pattern[1:], text[start:]) for start in range(len(text) + 1))
        return text[:1] == pattern[0] and slow(pattern[1:], text[1:])

    assert pattern_holds(pattern, text) == slow(pattern, text)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("/realm/roles", "admin", True),
        ("/realm/roles", "boss", False),
        ("/groups/name", "two", True),
        ("/a~1b/c", "1", True),
        ("a.b", "top", True),
        ("/a/b", None, False),
        ("gone", None, False),
        ("nothing", None, False),
        ("flag", "true", True),
    ],
)
def test_claims_by_path_and_membership(name: str, value: str | None, says: bool) -> None:
    claims = {
        "realm": {"roles": ["dev", "admin"]},
        "groups": [{"name": "one"}, {"name": "two"}, "odd"],
        "a/b": {"c": 1},
        "a.b": "top",
        "nothing": None,
        "flag": True,
    }
    assert claim_says(claims, name, value) is says


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (TimeWindow("urn:w", (0,), 8 * 3600, 18 * 3600), "2026-03-02T08:00:00", True),
        (TimeWindow("urn:w", (0,), 8 * 3600, 18 * 3600), "2026-03-02T18:00:00", False),
        (TimeWindow("urn:w", (1,), 8 * 3600, 18 * 3600), "2026-03-02T09:00:00", False),
        (TimeWindow("urn:w", (0,), 22 * 3600, 6 * 3600), "2026-03-03T05:59:59", True),
        (TimeWindow("urn:w", (0,), 22 * 3600, 6 * 3600), "2026-03-02T05:00:00", False),
        (TimeWindow("urn:w", (0,)), "2026-03-02T23:59:59", True),
        (TimeWindow("urn:w", (0,)), "2026-03-03T00:00:00", False),
        (TimeWindow("urn:w", (), 3600, 3600), "2026-03-05T00:00:00", True),
    ],
)
def test_time_windows(window: TimeWindow, moment: str, inside: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    assert window_holds(window, UTC, now) is inside


def test_a_window_follows_the_summer_time_of_its_zone() -> None:
    office = TimeWindow("urn:w", (), 8 * 3600, 9 * 3600, "Europe/Berlin")
    for moment, inside in (("2026-01-05T07:30", True), ("2026-07-06T06:30", True), ("2026-07-06T07:30", False)):
        now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        assert holds(asked(now=now), windows=(office,)) is inside


def test_each_rule_tells_what_failed() -> None:
    authorizer = Authorizer(Authorization("urn:x", (policy(rule(methods=("PUT",), subjects=("bob",)), rule("urn:s")),)))
    told = {each.rule.iri: (each.held, each.failed) for each in authorizer.verdicts(asked())}
    assert told == {"urn:r": (False, ("method", "subject")), "urn:s": (True, ())}
