"""HTTPRoutes and GRPCRoutes: for each set of hosts that sees the same routes, in agw's order.

Gateway API ranks matches as agw does (host, path, method, headers, parameters), and takes the first rule of an
HTTPRoute where they tie. So the routes of one path stay together in one HTTPRoute, and only what its sixteen rules
cannot hold goes into a further one. A host's HTTPRoutes hold its own routes, then those of each wider host, as some
implementations never look at a less specific host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.cors import Allowed, allowed
from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, names, span
from api_gateway_service_mesh.manifests.order import Item, host_lists
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.manifests.place import Place
from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import PathKind, Redirect, Rewrite, Route
from api_gateway_service_mesh.routing import ANY_HOST, HostKey, host_text
from api_gateway_service_mesh.vocabulary import AGW

from .call import call_lists
from .match import METHODS, call_matches, matches, preflights

__all__ = ["routes", "rules_of"]

_MOST_RULES: Final = 16
_MOST_MATCHES: Final = 128
_MOST_BACKENDS: Final = 16
_MOST_HOSTS: Final = 16
_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"[0-9.]+")
_ORIGIN = re.compile(r"https?://(?:\*\.)?[a-zA-Z0-9.-]+(?::[0-9]{1,5})?|\*")  # CORSOrigin

Rule = dict[str, Any]


def routes(outline: Outline, places: Mapping[str, Place], parent: dict[str, Any]) -> list[Document]:
    """All HTTPRoutes and GRPCRoutes, best host first; `parent` is what they hang on."""
    lists = host_lists(outline.table)
    calls = call_lists(outline, lists)
    called = names((host_text(hosts[0]), f"{outline.name} {_host_name(hosts[0])}") for hosts in lists.values())
    made: list[Document] = []
    for listed, hosts in lists.items():
        name = outline.name if len(lists) == 1 else called[host_text(hosts[0])]
        stated = _hostnames(outline, listed, hosts)
        if stated is None:
            continue
        chunks = _chunks(rules_of(outline, places, listed, calls=listed in calls))
        for host_number in range(0, max(1, len(stated)), _MOST_HOSTS):
            for number, chunk in enumerate(chunks):
                count = number + host_number // _MOST_HOSTS * len(chunks)
                spec: dict[str, Any] = {"parentRefs": [parent]}
                if stated:
                    spec["hostnames"] = stated[host_number : host_number + _MOST_HOSTS]
                spec["rules"] = [rule for _, rule in chunk]
                iris = dict.fromkeys(route.iri for route, _ in chunk)
                own = name if count == 0 else f"{name[:59].rstrip('-')}-{count + 1}"
                made.append(
                    {
                        "apiVersion": "gateway.networking.k8s.io/v1",
                        "kind": "GRPCRoute" if listed in calls else "HTTPRoute",
                        "metadata": metadata(own, outline.namespace, gateway=outline.mesh.iri, routes=iris),
                        "spec": spec,
                    }
                )
    return made


def _host_name(host: HostKey) -> str:
    if host == ANY_HOST:
        return "any"
    return ("", "below ")[host[0]] + host[2].replace(":", "-")


def _hostnames(outline: Outline, listed: tuple[Item, ...], hosts: list[HostKey]) -> list[str] | None:
    """The names of a list's hosts; none for any host; None when not one of them can be said."""
    if ANY_HOST in hosts:
        return []
    texts = [host_text(host) for host in hosts]
    fit = [text for text in texts if _HOST.fullmatch(text) and not _ADDRESS.fullmatch(text)]
    for text in texts:
        if text not in fit:
            for entry, _ in listed:
                message = f"{entry.route.name}: Gateway API takes host names, and {text} is none"
                outline.findings.append(lost(entry.route.iri, AGW.hostname, message))
    return fit or None


def _chunks(rules: list[tuple[Route, Rule]]) -> list[list[tuple[Route, Rule]]]:
    """At most 16 rules and 128 matches each; the rules of one path stay together as far as that goes."""
    chunks: list[list[tuple[Route, Rule]]] = [[]]
    start = 0
    while start < len(rules):
        end = start + 1
        while end < len(rules) and rules[end][0].match.path == rules[start][0].match.path:
            end += 1
        for at in range(start, end, _MOST_RULES):
            group = rules[at : min(at + _MOST_RULES, end)]
            together = [*chunks[-1], *group]
            if chunks[-1] and (
                len(together) > _MOST_RULES or sum(len(rule["matches"]) for _, rule in together) >= _MOST_MATCHES
            ):
                chunks.append(group)
            else:
                chunks[-1] = together
        start = end
    return [chunk for chunk in chunks if chunk]


def rules_of(
    outline: Outline, places: Mapping[str, Place], listed: tuple[Item, ...], *, calls: bool = False, pages: bool = True
) -> list[tuple[Route, Rule]]:
    """The rules of a list, each with its route. `calls`: those of a GRPCRoute. `pages`: with CORS."""
    made: list[tuple[Route, Rule]] = []
    for item in listed:
        found = (call_matches if calls else matches)(item, outline.findings)
        if found is None:
            continue
        route = item[0].route
        policy = allowed(route) if pages else None
        rule: Rule = {"matches": found if policy is None else [*found, *preflights(item, found)]}
        filters = _filters(outline, places, route)
        if policy is not None:
            filters = [*_cors(outline, route, policy), *filters]
        if filters:
            rule["filters"] = filters
        if not any(one["type"] == "RequestRedirect" for one in filters):
            backends = _backends(outline, places, route)
            if backends:
                rule["backendRefs"] = backends
        timeouts = _timeouts(route)
        if timeouts:
            rule["timeouts"] = timeouts
        made.append((route, rule))
    return made


def _backends(outline: Outline, places: Mapping[str, Place], route: Route) -> list[dict[str, Any]]:
    shares = [(split.upstream, split.weight) for split in route.splits] or [(route.upstream or "", 1)]
    if len(shares) > _MOST_BACKENDS:
        message = f"{route.name}: a rule has {_MOST_BACKENDS} backends; the further ones are left out"
        outline.findings.append(lost(route.iri, AGW.hasTrafficSplit, message))
    made: list[dict[str, Any]] = []
    for upstream, weight in shares[:_MOST_BACKENDS]:
        place = places.get(upstream)
        if place is not None:
            made.append({**_reference(place), **({"weight": weight} if route.splits else {})})
        elif upstream:
            message = f"{route.name}: what goes to a service without an address is answered 500 here, 503 by agw"
            outline.findings.append(differs(route.iri, AGW.hasBackendService, message))
            made.append({"name": outline.upstream_names.get(upstream, "nowhere"), "port": 80, "weight": weight})
    if not made and route.direct is None:
        message = f"{route.name}: a route without a service is answered 500 here, 503 by agw"
        outline.findings.append(differs(route.iri, AGW.hasBackendService, message))
    return made


def _reference(place: Place) -> dict[str, Any]:
    made: dict[str, Any] = {"name": place.name, "port": place.port}
    if place.namespace is not None:
        made["namespace"] = place.namespace
    return made


def _filters(outline: Outline, places: Mapping[str, Place], route: Route) -> list[dict[str, Any]]:
    served = route.upstream is not None or bool(route.splits)
    if route.redirect is not None and route.direct is None:
        if served:
            message = (
                f"{route.name}: Gateway API redirects a route or serves it; the redirect is left out and all requests "
                "are served"
            )
            outline.findings.append(lost(route.redirect.iri, AGW.hasRedirect, message))
        else:
            sent = {"type": "RequestRedirect", "requestRedirect": _redirect(route, route.redirect, outline.findings)}
            return [*_headers(route), sent]
    made: list[dict[str, Any]] = _headers(route)
    if route.rewrite is not None:
        changed = _rewrite(route, route.rewrite, outline.findings)
        if changed:
            made.append({"type": "URLRewrite", "urlRewrite": changed})
    for mirror in route.mirrors:
        place = places.get(mirror.upstream)
        if place is None:
            continue
        whole, thousandths = divmod(round(mirror.percent * 1000), 1000)
        share = {"percent": whole} if not thousandths else {
            "fraction": {"numerator": whole * 1000 + thousandths, "denominator": 100_000}
        }  # fmt: skip
        made.append({"type": "RequestMirror", "requestMirror": {"backendRef": _reference(place), **share}})
        message = f"{route.name}: copies are not marked by X-Agw-Shadow, and not bounded"
        outline.findings.append(differs(mirror.iri, AGW.mirrorConcurrency, message))
        outline.findings.append(differs(mirror.iri, AGW.mirrorBodyBytes, message))
    return made


def _cors(outline: Outline, route: Route, policy: Allowed) -> list[dict[str, Any]]:
    """The filter that answers preflights; of the standard channel since 1.5."""
    cors = policy.cors
    origins = [origin for origin in cors.origins if _ORIGIN.fullmatch(origin)]
    for origin in cors.origins:
        if origin not in origins:
            message = f"{route.name}: Gateway API knows origins of http and https; {origin} may not call"
            outline.findings.append(lost(cors.iri, AGW.allowedOrigin, message))
    methods = [method for method in policy.methods if method in METHODS]
    for method in policy.methods:
        if method not in METHODS:
            message = f"{route.name}: Gateway API knows no method {method}; pages may not call with it"
            outline.findings.append(lost(cors.iri, AGW.allowedMethod, message))
    message = (
        f"{route.name}: the CORS filter is of Gateway API 1.5 and later; what is not allowed is not refused by all"
    )
    outline.findings.append(differs(cors.iri, AGW.hasCors, message))
    if not origins or not methods:
        return []
    stated: dict[str, Any] = {"allowOrigins": origins, "allowMethods": methods}
    if cors.headers:
        stated["allowHeaders"] = list(cors.headers)
    if cors.exposed:
        stated["exposeHeaders"] = list(cors.exposed)
    if cors.credentials:
        stated["allowCredentials"] = True
    if cors.max_age_seconds is not None:
        stated["maxAge"] = max(1, cors.max_age_seconds)
    return [{"type": "CORS", "cors": stated}]


def _headers(route: Route) -> list[dict[str, Any]]:
    """The filters that change header fields."""
    made: list[dict[str, Any]] = []
    for kind, changes in (("request", request_changes(route)), ("response", answer_changes(route))):
        if changes is not None:
            stated = {
                word: [{"name": name, "value": value} for name, value in said.items()]
                if isinstance(said, dict)
                else said
                for word, said in changes.named().items()
            }
            made.append({"type": f"{kind.capitalize()}HeaderModifier", f"{kind}HeaderModifier": stated})
    return made


def _path_change(
    route: Route, subject: str, full_path: str | None, prefix: str | None, findings: list[Finding]
) -> dict[str, str] | None:
    if full_path is not None:
        if "{" not in full_path:
            return {"type": "ReplaceFullPath", "replaceFullPath": full_path}
        message = f"{route.name}: Gateway API does not fill in segments of a template; the path stays as it is"
        findings.append(lost(subject, AGW.replaceFullPath, message))
    elif prefix is not None:
        if route.match.path.kind is PathKind.PREFIX and "{" not in route.match.path.text:
            return {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix or "/"}
        message = f"{route.name}: Gateway API replaces the prefix of plain prefixes alone; the path stays as it is"
        findings.append(lost(subject, AGW.replacePrefixMatch, message))
    return None


def _redirect(route: Route, redirect: Redirect, findings: list[Finding]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if redirect.scheme is not None:
        made["scheme"] = redirect.scheme
    if redirect.host is not None:
        made["hostname"] = redirect.host
    if redirect.port is not None:
        made["port"] = redirect.port
    path = _path_change(route, redirect.iri, redirect.full_path, redirect.prefix, findings)
    if path is not None:
        made["path"] = path
    made["statusCode"] = redirect.status
    return made


def _rewrite(route: Route, rewrite: Rewrite, findings: list[Finding]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if rewrite.host is not None:
        made["hostname"] = rewrite.host
    path = _path_change(route, rewrite.iri, rewrite.full_path, rewrite.prefix, findings)
    if path is not None:
        made["path"] = path
    return made


def _timeouts(route: Route) -> dict[str, str]:
    timeout = route.timeout
    if timeout is None:
        return {}
    total, single = timeout.total_seconds, timeout.per_attempt_seconds
    made: dict[str, str] = {}
    if total is not None:
        made["request"] = span(total)
    if single is not None:
        made["backendRequest"] = span(single if total is None else min(single, total))
    return made
