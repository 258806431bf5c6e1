"""Who may do what, in words and triples."""

from __future__ import annotations

from collections.abc import Mapping

from api_gateway_service_mesh.model import (
    AuthorizationFailureMode,
    AuthorizationPolicy,
    AuthorizationRule,
    Enforcement,
    ExternalAuthorization,
    Route,
    RuleAction,
    TimeWindow,
    Upstream,
)

from .part import Citation, Part, cite, number, unless_default

__all__ = ["authorization_parts", "external_authorization_parts", "rule_text", "window_text"]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TERMS = (
    ("method", "onMethod", "methods", " or "),
    ("path", "onPath", "paths", " or "),
    ("from", "callerAddress", "addresses", " or "),
    ("scope", "callerScope", "scopes", " and "),
    ("issuer", "callerIssuer", "issuers", " or "),
    ("subject", "callerSubject", "subjects", " or "),
    ("key of", "callerKeyOwner", "key_owners", " or "),
    ("SPIFFE ID", "callerSpiffeId", "spiffe_ids", " or "),
    ("certificate of", "callerName", "names", " or "),
    ("principal", "callerPrincipal", "principals", " or "),
    ("claim", "callerClaim", "claims", ", "),
)
"""Word, term and field of each kind of condition, and what joins its values."""


def authorization_parts(route: Route) -> list[Part]:
    """The scopes that a route demands, a part for each policy and each of its rules, and what becomes of the rest."""
    stated = route.authorization
    if stated is None:
        return []
    parts: list[Part] = []
    if stated.scopes:
        cited = tuple(cite(stated.stated_by, "requiredScope", scope) for scope in stated.scopes)
        parts.append(Part("authorization", stated.stated_by, f"takes the scope {' '.join(stated.scopes)}", cited))
    for policy in stated.policies:
        parts.append(_policy(route, policy))
        parts += [_rule(policy, rule) for rule in policy.rules]
    enforced = [policy for policy in stated.policies if policy.enforcement is Enforcement.ENFORCE]
    if stated.default is RuleAction.DENY and not any(policy.grants for policy in enforced):
        parts.append(Part("authorization", route.iri, "what no rule allows is denied, by the gateway's default"))
    return parts


def external_authorization_parts(route: Route, upstreams: Mapping[str, Upstream]) -> list[Part]:
    """The service that is asked, what it is shown, and what becomes of its silence."""
    asked = route.external_authorization
    if asked is None:
        return []
    standard = ExternalAuthorization("", "", AuthorizationFailureMode.CLOSED)
    name = upstreams[asked.upstream].name if asked.upstream in upstreams else asked.upstream
    cited = [
        cite(route.iri, "hasExternalAuthorization", asked.iri),
        cite(asked.iri, "authorizationService", asked.upstream),
        cite(asked.iri, "authorizationFailureMode", asked.failure_mode.value),
    ]
    if asked.path_prefix:
        cited.append(cite(asked.iri, "authorizationPathPrefix", asked.path_prefix))
    if asked.passes_denial:
        cited.append(cite(asked.iri, "passesDenial", "true"))
    stated = [("authorizationTimeout", asked.timeout_seconds, standard.timeout_seconds)]
    cited += unless_default(asked.iri, [*stated, ("verdictLifetime", asked.lifetime_seconds, None)])
    silence = "lets through" if asked.failure_mode is AuthorizationFailureMode.OPEN else "refuses"
    text = f"asks {name}, which has {number(asked.timeout_seconds)} s; {silence} what it says nothing of"
    if asked.lifetime_seconds:
        text += f"; a verdict counts for {number(asked.lifetime_seconds)} s"
    return [Part("external authorization", asked.iri, text, tuple(cited))]


def _policy(route: Route, policy: AuthorizationPolicy) -> Part:
    cited = [cite(route.iri, "hasAuthorization", policy.iri)]
    if not policy.rules:
        text = "has no rule: denies everything"
    elif policy.grants:
        text = "denies what none of its rules allows"
    else:
        text = "denies by its rules alone"
    if policy.enforcement is Enforcement.AUDIT:
        cited.append(cite(policy.iri, "enforcement", policy.enforcement.value))
        text = f"only audited: {text}"
    return Part("authorization", policy.iri, text, tuple(cited))


def _rule(policy: AuthorizationPolicy, rule: AuthorizationRule) -> Part:
    cited: list[Citation] = [cite(policy.iri, "hasRule", rule.iri)]
    if rule.action is not RuleAction.ALLOW:
        cited.append(cite(rule.iri, "ruleAction", rule.action.value))
    for _, term, name, _ in _TERMS:
        cited += [cite(rule.iri, term, value) for value in getattr(rule, name)]
    cited += [cite(rule.iri, "duringWindow", window.iri) for window in rule.windows]
    return Part("authorization", rule.iri, rule_text(rule), tuple(cited))


def rule_text(rule: AuthorizationRule) -> str:
    """A rule as people say it: ``allows method GET; scope orders:read``."""
    conditions = [f"{word} {joint.join(values)}" for word, _, name, joint in _TERMS if (values := getattr(rule, name))]
    if rule.windows:
        conditions.append(" or ".join(window_text(window) for window in rule.windows))
    verb = "allows" if rule.action is RuleAction.ALLOW else "denies"
    return f"{verb} {'; '.join(conditions) or 'every request'}"


def window_text(window: TimeWindow) -> str:
    """A time window as people say it: ``08:00-18:00 Europe/Berlin, Monday, Friday``."""
    text = "any hour"
    if (window.begins, window.ends) != (0, 86400):
        text = f"{_clock(window.begins)}-{_clock(window.ends % 86400)} {window.zone}"
    days = ", ".join(_DAYS[day] for day in window.days)
    return f"{text}, {days}" if days else text


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
