"""The service-router of the gateway's routes, and a service-splitter for each route that has splits."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, name_of
from api_gateway_service_mesh.manifests.order import Item, catches_all, items
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.retrying import Tries, only_unsent, variants
from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import PathKind, RetryCondition, Route
from api_gateway_service_mesh.vocabulary import AGW

from .entry import Entry, entry, service_name
from .match import Path, matches
from .service import known_as, spoken, subset_name

__all__ = ["route_entries"]

_RETRY_ON: Final = {
    RetryCondition.CONNECT_FAILURE: "connect-failure",
    RetryCondition.RESET: "reset",
    RetryCondition.GATEWAY_ERROR: "gateway-error",
    RetryCondition.SERVER_ERROR: "5xx",
    RetryCondition.TIMEOUT: "reset",
    RetryCondition.REFUSED_STREAM: "refused-stream",
}


def route_entries(outline: Outline) -> list[Entry]:
    """Splitters, each with the defaults that make its service speak HTTP, then the router."""
    name = service_name(outline.name)
    made: list[Entry] = []
    for one in outline.table.entries:
        _report(outline, one.route)
        made += _splitter(outline, one.route)
    listed: list[dict[str, Any]] = []
    for chain in outline.table.chains:
        group = chain[0]
        for leaf in group.all_leaves():
            for item in items(leaf):
                listed += [each for part, tries in variants(item) for each in _routes(outline, part, tries, group.host)]
                if catches_all(item) and len(outline.table.chains) == 1:
                    break
    iris = [one.route.iri for one in outline.table.entries]
    made.append(entry("service-defaults", name, {"Protocol": spoken(outline)}, gateway=outline.mesh.iri))
    made.append(entry("service-router", name, {"Routes": listed}, gateway=outline.mesh.iri, routes=iris))
    return made


def _routes(outline: Outline, item: Item, tries: Tries, host: tuple[int, int, str]) -> list[dict[str, Any]]:
    destination = _destination(outline, item[0].route, tries)
    made: list[dict[str, Any]] = []
    for path, match in matches(item, host):
        changed = _prefix_rewrite(item[0].route, path)
        there = {**destination, **({"PrefixRewrite": changed} if changed else {})}
        made.append({"Match": {"HTTP": match}, **({"Destination": there} if there else {})})
    return made


def _split_name(outline: Outline, route: Route) -> str:
    return name_of(f"{outline.name}-{outline.route_names[route.iri]}")


def _destination(outline: Outline, route: Route, tries: Tries) -> dict[str, Any]:
    """Where requests go; without a service they go to the router's own, which has no instances and so answers 503."""
    made: dict[str, Any] = {}
    if route.direct is not None or (route.redirect is not None and not route.targets):
        return made
    if route.splits:
        made["Service"] = _split_name(outline, route)
    elif route.upstream in outline.upstreams and outline.upstreams[route.upstream].endpoints:
        made["Service"] = known_as(outline)[route.upstream]
        if route.subset:
            made["ServiceSubset"] = subset_name(route.subset)
    else:
        return made
    for key, changes in (("RequestHeaders", request_changes(route)), ("ResponseHeaders", answer_changes(route))):
        if changes is not None:
            made[key] = changes.for_envoy.named("Set", "Add", "Remove")
    timeout, retry = route.timeout, route.retry
    if timeout is not None:
        alone = None if tries is not Tries.NONE else timeout.per_attempt_seconds
        bounds = [bound for bound in (timeout.total_seconds, alone) if bound is not None]
        if bounds:
            made["RequestTimeout"] = duration(min(bounds))
    if retry is not None and tries is not Tries.NONE:
        made["NumRetries"] = retry.attempts
        if tries is Tries.UNSENT:
            made["RetryOn"] = ["connect-failure", "refused-stream"]
        else:
            named = {_RETRY_ON[condition] for condition in retry.conditions}
            if named:
                made["RetryOn"] = sorted(named)
            if retry.statuses:
                made["RetryOnStatusCodes"] = list(retry.statuses)
    return made


def _prefix_rewrite(route: Route, path: Path) -> str | None:
    """Consul's one rewrite: of what was matched, by text."""
    rewrite = route.rewrite
    if rewrite is None:
        return None
    kind, _ = path
    if rewrite.prefix is not None and route.match.path.kind is PathKind.PREFIX and kind in ("Exact", "Prefix"):
        stem = rewrite.prefix.rstrip("/")
        return f"{stem}/" if kind == "Prefix" else stem or "/"
    if rewrite.full_path is not None and "{" not in rewrite.full_path and kind == "Exact":
        return rewrite.full_path
    return None


def _splitter(outline: Outline, route: Route) -> list[Entry]:
    if not route.splits:
        return []
    name, called = _split_name(outline, route), known_as(outline)
    shares: list[dict[str, Any]] = []
    for split in route.splits:
        if split.weight == 0:
            continue  # Consul takes no share below 0.01 %
        service = called.get(split.upstream) or name_of(split.upstream)
        share: dict[str, Any] = {"Weight": split.weight, "Service": service}
        subset = (*route.subset, *split.subset)
        if subset:
            share["ServiceSubset"] = subset_name(subset)
        shares.append(share)
    sources = {"gateway": outline.mesh.iri, "routes": [route.iri]}
    return [
        entry("service-defaults", name, {"Protocol": spoken(outline)}, **sources),
        entry("service-splitter", name, {"Splits": shares}, **sources),
    ]


def _report(outline: Outline, route: Route) -> None:
    found: list[Finding] = outline.findings
    name, rewrite, retry, redirect = route.name, route.rewrite, route.retry, route.redirect
    if redirect is not None:
        message = f"{name}: Consul does not redirect; such requests are answered 503, or served where it has a service"
        found.append(lost(redirect.iri, AGW.hasRedirect, message, "keep agw in front"))
    if rewrite is not None:
        if rewrite.host is not None:
            message = f"{name}: Consul does not change the host on the way to a service"
            found.append(lost(rewrite.iri, AGW.rewriteHost, message, "keep agw in front"))
        plain = "{" not in route.match.path.text
        kind = route.match.path.kind
        whole = rewrite.full_path is not None and (kind is not PathKind.EXACT or "{" in rewrite.full_path)
        if rewrite.pattern is not None:
            message = f"{name}: Consul replaces what was matched, no patterns; the path stays as it is"
            found.append(lost(rewrite.iri, AGW.rewritePattern, message, "keep agw in front"))
            found.append(lost(rewrite.iri, AGW.rewriteSubstitution, message, "keep agw in front"))
        elif whole:
            message = f"{name}: Consul gives a new whole path to exact paths alone; the path stays as it is"
            found.append(lost(rewrite.iri, AGW.replaceFullPath, message, "keep agw in front"))
        elif rewrite.prefix is not None and not (kind is PathKind.PREFIX and plain):
            message = f"{name}: Consul replaces plain prefixes alone; the path stays as it is"
            found.append(lost(rewrite.iri, AGW.replacePrefixMatch, message, "keep agw in front"))
    if retry is not None and retry.attempts:
        message = f"{name}: Consul has no retry budget, waits 25 ms at first, and does not wait for Retry-After"
        found.append(differs(retry.iri, AGW.hasRetryPolicy, message))
        timed = RetryCondition.TIMEOUT in retry.conditions
        if timed and RetryCondition.RESET not in retry.conditions and not only_unsent(retry):
            message = f"{name}: Envoy tries again after a try's timeout only together with resets"
            found.append(differs(retry.iri, AGW.retryOn, message))
        timeout = route.timeout
        if timeout is not None and timeout.per_attempt_seconds is not None:
            message = f"{name}: Consul bounds all tries together, not each"
            found.append(lost(timeout.iri, AGW.perAttemptTimeout, message, "keep agw in front"))
    for split in route.splits:
        if not outline.upstreams[split.upstream].endpoints if split.upstream in outline.upstreams else True:
            message = f"{name}: {split.weight} % go to a service without an address and will be answered 503"
            found.append(differs(route.iri, AGW.hasTrafficSplit, message))
