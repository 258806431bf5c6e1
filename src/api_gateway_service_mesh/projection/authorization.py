"""Who may do what (``agw:AuthorizationPolicy``), and what a route demands besides (``agw:requiredScope``)."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    Route,
    RuleAction,
    TimeWindow,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

if TYPE_CHECKING:
    from .mesh import GatewayRow
    from .rows import ProjectedRows

__all__ = [
    "AuthorizationRow",
    "AuthorizationRuleRow",
    "AuthorizationValueRow",
    "AuthorizationWindowRow",
    "RouteScopeRow",
    "authorized",
    "policies_of",
]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")


@dataclass(frozen=True, slots=True)
class AuthorizationRow:
    """``authorization.rq``."""

    route: str
    policy: str
    enforcement: str | None


@dataclass(frozen=True, slots=True)
class AuthorizationRuleRow:
    """``authorization_rule.rq``."""

    policy: str
    rule: str
    action: str | None


@dataclass(frozen=True, slots=True)
class AuthorizationValueRow:
    """``authorization_value.rq``."""

    rule: str
    property: str
    value: str


@dataclass(frozen=True, slots=True)
class AuthorizationWindowRow:
    """``authorization_window.rq``."""

    rule: str
    window: str
    day: str | None
    begins: str | None
    ends: str | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class RouteScopeRow:
    """``route_scope.rq``."""

    route: str
    scope: str


def authorized(
    served: tuple[Route, ...], rows: ProjectedRows, chosen: GatewayRow, reading: Reading
) -> tuple[Route, ...]:
    """`served` with what decides about their requests. What a rule asks and nothing on a route can prove is told."""
    default = reading.choice(chosen.gateway, AGW.defaultDecision, chosen.default_decision, RuleAction, RuleAction.ALLOW)
    scopes: dict[str, list[str]] = defaultdict(list)
    for scope in rows.route_scope:
        scopes[scope.route].append(scope.scope)
    stated = policies_of(rows.authorization, rows, reading)
    if not stated and not scopes and default is RuleAction.ALLOW:
        return served
    found = []
    for route in served:
        policies, wanted = stated.get(route.iri, ()), tuple(sorted(scopes.get(route.iri, ())))
        if policies or wanted or default is RuleAction.DENY:
            route = replace(route, authorization=Authorization(route.iri, policies, wanted, default))
            _refuse_unproved(route, reading)
        found.append(route)
    return tuple(found)


def policies_of(
    stated: Iterable[AuthorizationRow], rows: ProjectedRows, reading: Reading
) -> dict[str, tuple[AuthorizationPolicy, ...]]:
    """The policies that are `stated`, by the IRI of the route (or sidecar) that states them."""
    rules = _rules(rows, reading)
    made: dict[str, AuthorizationPolicy] = {}
    found: dict[str, list[AuthorizationPolicy]] = defaultdict(list)
    for row in stated:
        if row.policy not in made:
            enforcement = reading.choice(row.policy, AGW.enforcement, row.enforcement, Enforcement, Enforcement.ENFORCE)
            made[row.policy] = AuthorizationPolicy(row.policy, rules.get(row.policy, ()), enforcement)
        if made[row.policy] not in found[row.route]:
            found[row.route].append(made[row.policy])
    return {route: tuple(sorted(held, key=lambda policy: policy.iri)) for route, held in found.items()}


def _rules(rows: ProjectedRows, reading: Reading) -> dict[str, tuple[AuthorizationRule, ...]]:
    """The rules of each policy, by its IRI."""
    values: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for value in rows.authorization_value:
        values[value.rule][value.property].append(value.value)
    windows = _windows(rows.authorization_window, reading)
    found: dict[str, dict[str, AuthorizationRule]] = defaultdict(dict)
    for row in rows.authorization_rule:
        if row.rule not in found[row.policy]:
            found[row.policy][row.rule] = _rule(row, values[row.rule], windows.get(row.rule, ()), reading)
    return {policy: tuple(by_iri[iri] for iri in sorted(by_iri)) for policy, by_iri in found.items()}


def _rule(
    row: AuthorizationRuleRow, stated: Mapping[str, list[str]], windows: tuple[TimeWindow, ...], reading: Reading
) -> AuthorizationRule:
    iri = row.rule

    def values(term: str) -> tuple[str, ...]:
        return tuple(sorted(stated.get(term, ())))

    return AuthorizationRule(
        iri,
        reading.choice(
            iri, AGW.ruleAction, row.action, RuleAction, RuleAction.DENY if row.action else RuleAction.ALLOW
        ),
        values(AGW.callerPrincipal),
        values(AGW.callerIssuer),
        values(AGW.callerSubject),
        values(AGW.callerKeyOwner),
        values(AGW.callerSpiffeId),
        values(AGW.callerName),
        values(AGW.callerClaim),
        values(AGW.callerScope),
        tuple(_blocks(iri, values(AGW.callerAddress), reading)),
        values(AGW.onMethod),
        values(AGW.onPath),
        windows,
    )


def _blocks(iri: str, stated: Iterable[str], reading: Reading) -> Iterable[str]:
    for text in stated:
        try:
            yield str(ipaddress.ip_network(text))
        except ValueError as error:
            reading.note(
                "invalid-value",
                f"{name_of(iri)}: agw:callerAddress is {text!r}, which is no address block: {error}",
                iri,
                AGW.callerAddress,
                text,
                allowed='a CIDR block such as "10.0.0.0/8" or "fd00::/8"',
            )


def _windows(rows: Iterable[AuthorizationWindowRow], reading: Reading) -> dict[str, tuple[TimeWindow, ...]]:
    """The windows of each rule, by its IRI."""
    found: dict[str, dict[str, TimeWindow]] = defaultdict(dict)
    for row in rows:
        iri = row.window
        window = found[row.rule].get(iri)
        if window is None:
            window = TimeWindow(
                iri,
                (),
                _second(iri, AGW.windowBegins, row.begins, 0, reading),
                _second(iri, AGW.windowEnds, row.ends, 86400, reading),
                reading.time_zone(iri, AGW.windowZone, row.zone),
            )
        if row.day is not None and row.day in _DAYS:  # which the shapes see to
            day = _DAYS.index(row.day)
            if day not in window.days:
                window = replace(window, days=tuple(sorted((*window.days, day))))
        found[row.rule][iri] = window
    return {rule: tuple(by_iri.values()) for rule, by_iri in found.items()}


def _second(iri: str, term: str, text: str | None, default: int, reading: Reading) -> int:
    """A time of the day in seconds since midnight."""
    if text is None:
        return default
    found = _TIME.match(text)
    if found:
        return int(found[1]) * 3600 + int(found[2]) * 60
    reading.note(
        "invalid-value",
        f"{name_of(iri)}: agw:{name_of(term)} is {text!r}, which is no time of the day",
        iri,
        term,
        text,
        allowed='a time such as "08:30"; agw:windowZone says in which zone',
    )
    return default


def _refuse_unproved(route: Route, reading: Reading) -> None:
    """A rule that asks for what nothing on the route proves never holds: one that denies would never deny."""
    authorization, authentication = route.authorization, route.authentication
    if authorization is None:
        return
    tokens = authentication is not None and authentication.takes_claims
    keys = authentication is not None and bool(authentication.api_keys)
    if authorization.scopes and not (tokens or keys):
        reading.note(
            "unproved-scope",
            f"{route.name} demands the scope {authorization.scopes[0]!r} and no authentication that could carry one: "
            "nobody would be let in",
            route.iri,
            AGW.requiredScope,
            authorization.scopes[0],
            remedy=f"add agw:hasAuthentication to {route.name} or to the gateway",
        )
    for policy in authorization.policies:
        for rule in policy.rules:
            asked = _unproved(rule, tokens, keys)
            if asked is not None:
                term, value, needed = asked
                reading.note(
                    "unproved-rule",
                    f"{name_of(rule.iri)}: agw:{name_of(term)} asks for what nothing on {route.name} proves, so the "
                    "rule would never hold there",
                    rule.iri,
                    term,
                    value,
                    remedy=f"add agw:hasAuthentication with {needed} to {route.name} or to the gateway",
                )


def _unproved(rule: AuthorizationRule, tokens: bool, keys: bool) -> tuple[str, str, str] | None:
    """Of what a rule asks the first that cannot be proved: its property, a value, and what would prove it."""
    token, key = "an agw:JWTAuthentication or agw:OAuth2", "an agw:ApiKey"
    either = f"{token} or {key}"
    asked = (
        (AGW.callerIssuer, rule.issuers, tokens, token),
        (AGW.callerSubject, rule.subjects, tokens, token),
        (AGW.callerClaim, rule.claims, tokens, token),
        (AGW.callerKeyOwner, rule.key_owners, keys, key),
        (AGW.callerScope, rule.scopes, tokens or keys, either),
    )
    return next(((term, values[0], needed) for term, values, proved, needed in asked if values and not proved), None)
