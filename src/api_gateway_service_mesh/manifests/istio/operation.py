"""Which requests a rule of an AuthorizationPolicy speaks of: those that one route takes, as far as Istio can tell.

What is let in leaves out the paths of routes that rank before and ask for something else, whatever their methods; what
is denied leaves out only what such a route takes whole. So where Istio cannot tell routes apart it refuses, it never
lets in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import AuthorizationRule, PathKind, PathMatch, Route, RuleAction
from api_gateway_service_mesh.routing import ANY_HOST, ANY_SEGMENT, PathPattern, RouteEntry, host_text
from api_gateway_service_mesh.routing.path import path_pattern
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["allowed_operation", "denied_operation", "path_forms"]


def path_forms(path: PathPattern) -> list[str] | None:
    """Istio's patterns of a path; None: it has none for it. Its star at the end is by characters."""
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return None
    if path.kind is PathKind.EXACT:
        return None if "*" in path.text else [path.text]
    if any("*" in segment for segment in path.segments if segment != ANY_SEGMENT):
        return None
    stem = _stem(path)
    if not path.open_ended:
        return [stem]
    if ANY_SEGMENT in path.segments:
        return [stem, f"{stem}/{{**}}"]
    return [stem, f"{stem}/*"] if stem else ["/*"]


def _stem(path: PathPattern) -> str:
    return "".join("/{*}" if segment == ANY_SEGMENT else f"/{segment}" for segment in path.segments)


def allowed_operation(context: Context, entry: RouteEntry, rule: AuthorizationRule | None) -> dict[str, Any] | None:
    """The requests of a route that `rule` lets in; None: Istio cannot name them."""
    paths = path_forms(entry.path)
    if paths is not None and rule is not None:
        paths = _narrowed(context, entry, paths, rule)
    if paths is None:
        return None
    others: list[str] = []
    for before in context.table.entries:
        if before is entry:
            break
        if _demands(before.route) != _demands(entry.route):
            others += [path for path in path_forms(before.path) or () if path not in paths]
    return _operation(entry, rule, paths, others)


def denied_operation(context: Context, entry: RouteEntry, rule: AuthorizationRule) -> dict[str, Any] | None:
    """The requests of a route that `rule` denies, or more than those; None: there are none that Istio lets in."""
    own = path_forms(entry.path)
    if own is None:
        return None  # what Istio cannot name it does not let in
    paths = _narrowed(context, entry, own, rule)
    others: list[str] = []
    for before in context.table.entries:
        if before is entry:
            break
        match = before.route.match
        if not (match.hosts or match.methods or match.headers or match.query):
            others += [path for path in path_forms(before.path) or () if path not in (paths or own)]
    return _operation(entry, rule, paths or own, others)


def _demands(route: Route) -> tuple[object, object]:
    return route.authentication, route.authorization


def _narrowed(context: Context, entry: RouteEntry, own: list[str], rule: AuthorizationRule) -> list[str] | None:
    """`own` as far as `rule` speaks of it; None: their common part cannot be written."""
    if not rule.paths:
        return own
    patterns = [path_pattern(_as_match(text)) for text in rule.paths]
    asked = [form for pattern in patterns for form in path_forms(pattern) or ()]
    if rule.action is RuleAction.DENY:
        message = f"{entry.route.name}: how a path is spelt (percent, doubled slashes) Istio judges by its own rules"
        context.findings.append(differs(rule.iri, AGW.onPath, message, "set meshConfig.pathNormalization"))
    stem = _stem(entry.path) if entry.path.open_ended else None
    if stem is not None and ANY_SEGMENT not in entry.path.segments and _all_below(asked, stem):
        return asked
    if set(own) <= set(asked):
        return own
    what = "it lets nobody in" if rule.action is RuleAction.ALLOW else "it denies all paths of the route"
    message = f"{entry.route.name}: Istio does not ask for both, its path and those of {rule.iri}; {what}"
    context.findings.append(lost(rule.iri, AGW.onPath, message, "state paths that lie below the route's"))
    return None


def _as_match(text: str) -> PathMatch:
    if text.endswith("/*"):
        return PathMatch(PathKind.PREFIX, text.removesuffix("/*"))
    return PathMatch(PathKind.TEMPLATE if "{" in text else PathKind.EXACT, text)


def _all_below(paths: Sequence[str], stem: str) -> bool:
    return all(path == stem or path.startswith(f"{stem}/") for path in paths)


def _operation(
    entry: RouteEntry, rule: AuthorizationRule | None, paths: list[str], others: list[str]
) -> dict[str, Any] | None:
    made: dict[str, Any] = {"paths": paths}
    if others:
        made["notPaths"] = list(dict.fromkeys(others))
    methods = set(entry.methods) | ({"HEAD"} if "GET" in entry.methods else set())
    if rule is not None and rule.methods:
        methods = methods & set(rule.methods) if methods else set(rule.methods)
        if not methods:
            return None
    if methods:
        first = sorted(entry.methods) if rule is None or not rule.methods else sorted(methods)
        made["methods"] = [*first, *sorted(methods - set(first))]
    if ANY_HOST not in entry.hosts:
        texts = [host_text(host) for host in entry.hosts]
        if rule is not None and rule.action is RuleAction.DENY and any("*" in text for text in texts):
            return made  # a wildcard leaves out hosts with ports: rather any host is denied
        made["hosts"] = [form for text in texts for form in (text, f"{text}:*") if form.count("*") < 2]
    return made
