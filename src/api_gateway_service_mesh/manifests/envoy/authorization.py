"""Who may do what, by Envoy's RBAC filter: one that denies, one that lets in, one for scopes.

A condition that Envoy cannot ask is lost on the safe side: a rule that allows is left out, one that denies goes without
the condition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.model import AuthorizationRule, Enforcement, JwtAuthentication, Route, RuleAction
from api_gateway_service_mesh.vocabulary import AGW

from .condition import PATH_FIELD, cidr_ranges
from .context import Context
from .typed import FILTER, Json, extension, typed

__all__ = ["authorization_filters", "route_authorization", "said_by_token"]

_SCOPES: Final = "agw.scopes"
_DENY: Final = "agw.deny"
_ALLOW: Final = "agw.allow"
_TOKENS: Final = "envoy.filters.http.jwt_authn"
_ANYBODY: Final = {"any": True}


def authorization_filters(context: Context) -> list[Json]:
    """The filters that some route needs; each does nothing unless a route says so."""
    wanted = {name for route in context.routes for name in route_authorization(context, route)}
    return [extension(name, f"{FILTER}.rbac.v3.RBAC") for name in (_SCOPES, _DENY, _ALLOW) if name in wanted]


def route_authorization(context: Context, route: Route) -> dict[str, Any]:
    """A route's own configuration of those filters."""
    stated = route.authorization
    if stated is None:
        return {}
    made: dict[str, Any] = {}
    tokens = route.authentication.jwt if route.authentication is not None else ()
    if stated.scopes:
        asked = [said_by_token(tokens, "scope", _scope(scope)) for scope in stated.scopes]
        demanded = {"permissions": [_ANYBODY], "principals": [{"and_ids": {"ids": asked}}]}
        made[_SCOPES] = _rules(RuleAction.ALLOW, {stated.stated_by: demanded})
    enforced = [policy for policy in stated.policies if policy.enforcement is Enforcement.ENFORCE]
    for audited in (policy for policy in stated.policies if policy.enforcement is Enforcement.AUDIT):
        message = f"{route.name}: what {audited.iri} would refuse is not told"
        context.say(lost(audited.iri, AGW.enforcement, message, "keep agw in front while it is tried out"))
    rules = [rule for policy in enforced for rule in policy.rules]
    denied: dict[str, Any] = {
        rule.iri: _Rule(context, route, rule).policy() for rule in rules if rule.action is RuleAction.DENY
    }
    if denied:
        made[_DENY] = _rules(RuleAction.DENY, denied)
    if any(policy.grants for policy in enforced) or stated.default is RuleAction.DENY:
        allowed: dict[str, Any] = {
            rule.iri: _Rule(context, route, rule).policy() for rule in rules if rule.action is RuleAction.ALLOW
        }
        made[_ALLOW] = _rules(RuleAction.ALLOW, {iri: policy for iri, policy in allowed.items() if policy is not None})
    return made


def _rules(action: RuleAction, policies: dict[str, Any]) -> Json:
    rules: Json = {"action": action.value}
    if policies:
        rules["policies"] = dict(sorted(policies.items()))
    return typed(f"{FILTER}.rbac.v3.RBACPerRoute", rbac={"rules": rules})


class _Rule:
    """One rule in Envoy's words."""

    def __init__(self, context: Context, route: Route, rule: AuthorizationRule) -> None:
        self._context = context
        self._route = route
        self._rule = rule
        self._tokens = route.authentication.jwt if route.authentication is not None else ()
        self._loses = False

    def policy(self) -> Json | None:
        """The policy; None for a rule that allows and of which something is lost."""
        permissions, principals = list(self._permissions()), list(self._principals())
        if self._loses and self._rule.action is RuleAction.ALLOW:
            message = f"{self._route.name}: {self._rule.iri} lets nobody in, since a part of it cannot be asked"
            self._context.say(lost(self._rule.iri, AGW.hasRule, message, "keep agw in front"))
            return None
        return {
            "permissions": [{"and_rules": {"rules": permissions}} if permissions else _ANYBODY],
            "principals": [{"and_ids": {"ids": principals}} if principals else _ANYBODY],
        }

    def _permissions(self) -> Iterator[Json]:
        rule = self._rule
        if rule.methods:
            yield _any_rule([{"header": {"name": ":method", "string_match": {"exact": each}}} for each in rule.methods])
        if rule.paths:
            denies = rule.action is RuleAction.DENY
            matchers = [{"safe_regex": {"regex": _path(each, loosely=denies)}} for each in rule.paths]
            yield _any_rule([{"header": {"name": PATH_FIELD, "string_match": each}} for each in matchers])

    def _principals(self) -> Iterator[Json]:
        rule = self._rule
        if rule.addresses:
            yield _any_id([{"remote_ip": block} for block in cidr_ranges(rule.addresses)])
        for name, patterns in (("iss", rule.issuers), ("sub", rule.subjects)):
            if patterns:
                yield _any_id([said_by_token(self._tokens, name, _pattern(each)) for each in patterns])
        if rule.key_owners:
            yield _any_id([_owner(_pattern(each)) for each in rule.key_owners])
        if rule.spiffe_ids:
            yield _any_id([_certificate(each) for each in rule.spiffe_ids])
        for scope in rule.scopes:
            yield said_by_token(self._tokens, "scope", _scope(scope))
        named: dict[str, list[Json]] = {}
        for claim in rule.claims:
            name, equals, value = claim.partition("=")
            matcher = {"exact": value} if equals else {"safe_regex": {"regex": "(?s).*"}}
            named.setdefault(name, []).append(said_by_token(self._tokens, name, matcher))
        for ways in named.values():
            yield _any_id(ways)
        if rule.principals:
            found = [self._principal(each) for each in rule.principals]
            yield _any_id([each for each in found if each is not None] or [{"not_id": _ANYBODY}])
        if rule.names:
            self._lose(AGW.callerName, "names of certificates other than SPIFFE IDs")
        if rule.windows:
            self._lose(AGW.duringWindow, "the time of the day")

    def _principal(self, pattern: str) -> Json | None:
        if pattern.startswith("spiffe://"):
            return _certificate(pattern)
        if pattern.startswith("key:"):
            return _owner(_pattern(pattern[4:]))
        if pattern.startswith("jwt:") and "/" in pattern:
            issuer, _, subject = pattern[4:].rpartition("/")
            ids = [
                said_by_token(self._tokens, "iss", _pattern(issuer)),
                said_by_token(self._tokens, "sub", _pattern(subject)),
            ]
            return {"and_ids": {"ids": ids}}
        self._lose(AGW.callerPrincipal, f"the principal {pattern}")
        return None

    def _lose(self, term: str, what: str) -> None:
        self._loses = True
        message = f"{self._route.name}: Envoy does not ask for {what}, of which {self._rule.iri} speaks"
        self._context.say(lost(self._rule.iri, term, message, "keep agw in front"))


def _any_rule(rules: list[Json]) -> Json:
    return rules[0] if len(rules) == 1 else {"or_rules": {"rules": rules}}


def _any_id(ids: list[Json]) -> Json:
    return ids[0] if len(ids) == 1 else {"or_ids": {"ids": ids}}


def _pattern(text: str) -> Json:
    """A text in which a star stands for any."""
    if "*" not in text:
        return {"exact": text}
    return {"safe_regex": {"regex": "(?s)" + ".*".join(map(re.escape, text.split("*")))}}


def _certificate(spiffe: str) -> Json:
    return {"authenticated": {"principal_name": _pattern(spiffe)}}


def _scope(scope: str) -> Json:
    return {"safe_regex": {"regex": rf"(?:.* )?{re.escape(scope)}(?: .*)?"}}


def _owner(matcher: Json) -> Json:
    where = {"filter": "agw", "path": [{"key": "api-key-owner"}], "value": {"string_match": matcher}}
    return {"sourced_metadata": {"metadata_matcher": where}}


def said_by_token(tokens: tuple[JwtAuthentication, ...], name: str, matcher: Json) -> Json:
    """What the caller's token says under a claim (``/a/b`` is a path): a text, or a list with it. A scope may be called
    ``scp``. Without tokens nobody says anything."""
    steps = name[1:].split("/") if name.startswith("/") else [name]
    ways = [steps, ["scp"]] if name == "scope" else [steps]
    values: list[Json] = [{"string_match": matcher}, {"list_match": {"one_of": {"string_match": matcher}}}]
    found: list[Json] = []
    for jwt in tokens:
        for way in ways:
            path = [{"key": step} for step in (jwt.iri, *way)]
            found += [
                {"sourced_metadata": {"metadata_matcher": {"filter": _TOKENS, "path": path, "value": value}}}
                for value in values
            ]
    return _any_id(found) if found else {"not_id": _ANYBODY}


def _path(text: str, *, loosely: bool) -> str:
    """An expression for `PATH_FIELD`. What is denied is denied however its letters are written."""
    spell: Callable[[str], str] = _loose if loosely else re.escape
    below = text.endswith("/*")
    segments = text.removesuffix("/*").split("/")[1:]
    slash = "(?:/|%2[fF])+" if loosely else "/"
    made = "".join(slash + ("[^/]+" if each[:1] == "{" else spell(each)) for each in segments)
    return "(?s)" + made + (slash + ".*" if below else "/+" if loosely else "/")


def _loose(text: str) -> str:
    return "".join(
        f"(?:{re.escape(char)}|%(?i:{''.join(f'{byte:02x}' for byte in char.encode())}))" if char.isascii() else char
        for char in text
    )
