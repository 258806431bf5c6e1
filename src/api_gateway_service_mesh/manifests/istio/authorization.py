"""Who may do what, as rules of Istio's AuthorizationPolicies.

A condition that Istio cannot ask is lost on the safe side: a rule that allows is left out, one that denies goes without
the condition. Where Istio cannot tell the paths of two routes apart, it denies for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.model import (
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    JwtAuthentication,
    Route,
    RuleAction,
)
from api_gateway_service_mesh.routing import RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .operation import allowed_operation, denied_operation

__all__ = ["allowed_rules", "claim_key", "denied_rules", "enforced"]

Rule: TypeAlias = dict[str, Any]


def enforced(route: Route) -> tuple[AuthorizationPolicy, ...]:
    """The policies that decide about a route's requests."""
    stated = route.authorization
    return () if stated is None else tuple(one for one in stated.policies if one.enforcement is Enforcement.ENFORCE)


def allowed_rules(context: Context, entry: RouteEntry) -> list[Rule]:
    """By what a route's requests are let in: one rule for each kind of token and each rule that allows."""
    route = entry.route
    stated, authentication = route.authorization, route.authentication
    tokens: Sequence[JwtAuthentication | None] = authentication.jwt if authentication is not None else (None,)
    made: list[Rule] = []
    for wanted in _wanted(context, entry):
        asked = _Asked(context, route, wanted)
        operation = allowed_operation(context, entry, wanted)
        for jwt in tokens:
            if asked.loses or operation is None:
                continue
            when = [*(_proved(jwt) if jwt is not None else ()), *asked.when()]
            when += [_when(claim_key("scope"), [scope]) for scope in (stated.scopes if stated is not None else ())]
            sources = asked.sources(jwt)
            if sources is None:
                continue
            rule: Rule = {"from": sources} if sources else {}
            made.append({**rule, "to": [{"operation": operation}], **({"when": when} if when else {})})
    return made


def denied_rules(context: Context) -> list[Rule]:
    """What is refused whatever others allow."""
    made: list[Rule] = []
    for entry in context.table.entries:
        for rule in (rule for policy in enforced(entry.route) for rule in policy.rules):
            if rule.action is not RuleAction.DENY:
                continue
            operation = denied_operation(context, entry, rule)
            if operation is None:
                continue
            asked = _Asked(context, entry.route, rule)
            found: Rule = {"to": [{"operation": operation}]}
            if sources := asked.sources(None):
                found = {"from": sources, **found}
            if when := asked.when():
                found["when"] = when
            made.append(found)
    return made


def _wanted(context: Context, entry: RouteEntry) -> Iterator[AuthorizationRule | None]:
    """The rules of which one has to hold; None: there is none that has to."""
    route, stated = entry.route, entry.route.authorization
    policies = enforced(route)
    for audited in (policy for policy in (stated.policies if stated else ()) if policy not in policies):
        message = f"{route.name}: what {audited.iri} would refuse is not told"
        context.findings.append(lost(audited.iri, AGW.enforcement, message, "keep agw in front while it is tried out"))
    if stated is None or (stated.default is RuleAction.ALLOW and not any(policy.grants for policy in policies)):
        yield None
        return
    for policy in policies:
        yield from (rule for rule in policy.rules if rule.action is RuleAction.ALLOW)


def claim_key(name: str) -> str:
    """How Istio names a claim; a path (``/a/b``) goes into it."""
    parts = name.strip("/").split("/") if name.startswith("/") else [name]
    return "request.auth.claims" + "".join(f"[{part}]" for part in parts)


def _when(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "values": values}


def _proved(jwt: JwtAuthentication) -> list[dict[str, Any]]:
    """What a token has to say by what accepts it; that it is one stands in ``from``."""
    made = [_when(claim_key("scope"), [scope]) for scope in jwt.required_scopes]
    return [*made, *_claims(jwt.required_claims)]


def _claims(claims: Sequence[str]) -> list[dict[str, Any]]:
    by_name: dict[str, list[str]] = {}
    for claim in claims:
        name, stated, value = claim.partition("=")
        by_name.setdefault(name, []).append(value if stated else "*")
    return [_when(claim_key(name), values) for name, values in by_name.items()]


class _Asked:
    """What a rule asks of the caller, in Istio's words; None: nothing. ``rule`` is the part of it that Istio can
    ask."""

    def __init__(self, context: Context, route: Route, rule: AuthorizationRule | None) -> None:
        self._context = context
        self._route = route
        self.rule = rule
        self.loses = False
        if rule is not None:
            self._look(rule)

    def _look(self, rule: AuthorizationRule) -> None:
        lacks = (
            ("key_owners", AGW.callerKeyOwner, "owners of API keys", bool(rule.key_owners)),
            ("names", AGW.callerName, "names of certificates other than SPIFFE IDs", bool(rule.names)),
            ("windows", AGW.duringWindow, "the time of the day", bool(rule.windows)),
            ("spiffe_ids", AGW.callerSpiffeId, "a star amid a SPIFFE ID", not all(map(_sayable, rule.spiffe_ids))),
            ("issuers", AGW.callerIssuer, "a star amid an issuer", not all(map(_sayable, rule.issuers))),
            ("subjects", AGW.callerSubject, "a star amid a subject", not all(map(_sayable, rule.subjects))),
            ("principals", AGW.callerPrincipal, "such principals", None in map(_source, rule.principals)),
            ("principals", AGW.callerPrincipal, "a SPIFFE ID twice", bool(rule.spiffe_ids and rule.principals)),
        )
        for field, term, what, lacking in lacks:
            if lacking:
                self.rule = replace(self.rule or rule, **{field: ()})  # type: ignore[arg-type]
                self._lose(rule, term, what)

    def _lose(self, rule: AuthorizationRule, term: str, what: str) -> None:
        self.loses = rule.action is RuleAction.ALLOW
        message = f"{self._route.name}: Istio does not ask for {what}, of which {rule.iri} speaks"
        self._context.findings.append(lost(rule.iri, term, message, "keep agw in front"))
        if self.loses:
            message = f"{self._route.name}: {rule.iri} lets nobody in, since a part of it cannot be asked"
            self._context.findings.append(lost(rule.iri, AGW.hasRule, message, "keep agw in front"))

    def sources(self, jwt: JwtAuthentication | None) -> list[dict[str, Any]] | None:
        """Who the caller may be; of several one is enough. None: nobody who shows a token of `jwt`."""
        rule = self.rule
        common: dict[str, Any] = {}
        if jwt is not None:
            common["requestPrincipals"] = [f"{jwt.issuer}/*"]
        if rule is not None and rule.addresses:
            common["remoteIpBlocks"] = list(rule.addresses)
        if rule is not None and rule.spiffe_ids:
            common["principals"] = [each.removeprefix("spiffe://") for each in rule.spiffe_ids]
        if rule is None or not rule.principals:
            return [{"source": common}] if common else []
        found: list[dict[str, Any]] = []
        for source in filter(None, map(_source, rule.principals)):
            field, value = source
            if field == "principals" or jwt is None or value.startswith(f"{jwt.issuer}/"):
                found.append({"source": {**common, field: [value]}})
        return found or None

    def when(self) -> list[dict[str, Any]]:
        """Further conditions, each of which must hold."""
        rule = self.rule
        if rule is None:
            return []
        stated = (("iss", rule.issuers), ("sub", rule.subjects))
        made = [_when(claim_key(name), list(patterns)) for name, patterns in stated if patterns]
        made += [_when(claim_key("scope"), [scope]) for scope in rule.scopes]
        return [*made, *_claims(rule.claims)]


def _source(principal: str) -> tuple[str, str] | None:
    """The field of a source that knows this principal, and how it is written there."""
    if principal.startswith("spiffe://") and _sayable(principal):
        return "principals", principal.removeprefix("spiffe://")
    if principal.startswith("jwt:") and _sayable(principal[4:]):
        return "requestPrincipals", principal[4:]
    return None


def _sayable(pattern: str) -> bool:
    """Istio's star stands alone, at the beginning or at the end."""
    return "*" not in pattern or (pattern.count("*") == 1 and (pattern[0] == "*" or pattern[-1] == "*"))
