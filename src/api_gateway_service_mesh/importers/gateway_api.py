"""Gateway API: Gateway, HTTPRoute, GRPCRoute and ReferenceGrant (``gateway.networking.k8s.io``), and Services.

agw ranks routes as Gateway API does, so every match of a rule becomes a route, and priorities stand only where its
"first rule wins" has to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.model import PathKind, PathMatch
from api_gateway_service_mesh.vocabulary import AGW

from .cors import cors_policy, is_preflight
from .draft import Draft, RouteDraft
from .grpc_call import calls
from .header import header_changes
from .host import shared
from .kubernetes import Cluster, Thing, seconds, things
from .listener import listener
from .part import Part
from .path import UnsayableError, exact, expression, prefix
from .predicate import tests
from .turtle import Ref, Seconds, Subject, anonymous

__all__ = ["import_gateway_api"]

_GROUP: Final = "gateway.networking.k8s.io"
_ROUTES: Final = "agw.ggen.ai/routes"
_PATHS: Final = {"Exact": exact, "PathPrefix": prefix, "RegularExpression": expression}
_ROUTED: Final = ("HTTPRoute", "GRPCRoute")
_ELSEWHERE: Final = {
    "GatewayClass": "agw is the implementation; nothing has to be said",
    "BackendTLSPolicy": "give the service an https:// address, agw:serverName and agw:trustBundleFile",
    "TLSRoute": "agw speaks HTTP; keep a TCP proxy for it",
    "TCPRoute": "agw speaks HTTP; keep a TCP proxy for it",
    "UDPRoute": "agw speaks HTTP; keep a UDP proxy for it",
}


@dataclass(slots=True)
class _Import:
    draft: Draft
    cluster: Cluster
    folder: str | None
    grants: set[tuple[str, str, str | None]] = field(default_factory=set)
    hosts: dict[str, list[str | None]] = field(default_factory=dict)
    implied_head: bool = False


def import_gateway_api(draft: Draft, documents: Iterable[Map], *, certificates: str | None = None) -> None:
    """Take over what `documents` say. `certificates`: the folder that the Secrets' certificates are in."""
    made = _Import(draft, Cluster(draft), certificates)
    routes: list[Thing] = []
    for thing in things(draft.findings, documents):
        if made.cluster.take(thing):
            continue
        if thing.group == _GROUP and thing.kind == "Gateway":
            _gateway(made, thing)
        elif thing.group == _GROUP and thing.kind in _ROUTED:
            routes.append(thing)
        elif thing.group == _GROUP and thing.kind == "ReferenceGrant":
            _grant(made, thing)
        else:
            thing.body.drop()
            remedy = _ELSEWHERE.get(thing.kind, "see whether you need it; agw import gateway-api reads other kinds")
            draft.findings.lost(thing.place, f"{thing.called} is not taken over", remedy)
    for thing in routes:
        _route(made, thing)


def _gateway(made: _Import, thing: Thing) -> None:
    draft, spec = made.draft, thing.spec()
    if draft.gateway is None:
        draft.gateway = draft.new_gateway(thing.name, "gateway", comment=thing.called, place=thing.place)
    elif draft.joined is None:
        message = f"{thing.called} and {draft.gateway.comment} become one: their ports and routes are joined"
        draft.findings.differs(thing.place, message, "import them one by one for gateways of their own")
    spec.ignore("gatewayClassName")
    hosts = made.hosts.setdefault(thing.name, [])
    for each in spec.parts("listeners"):
        each.ignore("name", "allowedRoutes")
        if draft.joined is not None:  # ports are those of the configuration that is joined
            hosts.append(each.text("hostname"))
            each.ignore("port", "protocol", "tls")
            continue
        port, protocol = each.integer("port"), each.text("protocol") or "HTTP"
        if protocol not in ("HTTP", "HTTPS") or port is None:
            each.drop()
            draft.findings.lost(
                each.place, f"{thing.called}: agw has no listener for {protocol}", "keep another for it"
            )
            continue
        hosts.append(each.text("hostname"))
        tls = each.part("tls")
        secrets = _secrets(tls) if tls is not None else [] if protocol == "HTTPS" else None
        listener(draft, port, each.place, secrets=secrets, folder=made.folder)


def _secrets(tls: Part) -> list[str] | None:
    mode = tls.text("mode") or "Terminate"
    if mode != "Terminate":
        tls.findings.lost(
            tls.at("mode"), f"{tls.name}: agw ends TLS itself", "keep a TCP proxy for what passes through"
        )
    names = []
    for reference in tls.parts("certificateRefs"):
        reference.ignore("group", "kind", "namespace")
        names.append(reference.text("name") or "")
    return [name for name in names if name] if mode == "Terminate" else []


def _grant(made: _Import, thing: Thing) -> None:
    spec = thing.spec()
    sources = [(each.text("kind"), each.text("namespace"), each.text("group")) for each in spec.parts("from")]
    for target in spec.parts("to"):
        target.ignore("group")
        kind, name = target.text("kind"), target.text("name")
        for source, namespace, group in sources:
            if source in _ROUTED and (group, kind) == (_GROUP, "Service"):
                made.grants.add((namespace or "", thing.namespace or "", name))


def _route(made: _Import, thing: Thing) -> None:
    draft, spec = made.draft, thing.spec()
    hosts = _hosts(made, thing, spec)
    if hosts is None:
        spec.drop()
        draft.findings.lost(
            thing.place, f"{thing.called}: no listener takes any of its host names", "correct one of them"
        )
        return
    rules = spec.parts("rules")
    known = thing.annotations.get(_ROUTES, "").split()
    if len(known) != len(rules):
        known = []  # the same route stands there twice: names are made anew
    for at, rule in enumerate(rules):
        name = rule.text("name")
        wanted = f"{thing.name}-{name}" if name else thing.name if len(rules) == 1 else f"{thing.name}-{at + 1}"
        before = len(draft.routes)
        found = calls(rule, wanted) if thing.kind == "GRPCRoute" else _matches(made, rule, wanted)
        for number, route in enumerate(found):
            route.hosts = hosts
            route.comment = f"{thing.called}, rule {at + 1}"
            if number:
                route.wanted = f"{wanted}-{number + 1}"
            elif known:
                route.iri = known[at]
            draft.routes.append(route)
        policies = RouteDraft(wanted, rule.place, prefix("/"))
        _policies(made, thing, rule, policies, prefixed=_prefixed(draft.routes[before:]))
        for route in draft.routes[before:]:
            route.stated += policies.stated


def _prefixed(routes: Iterable[RouteDraft]) -> bool:
    """Whether every route has a prefix that something can take the place of."""
    return all(route.path.kind is PathKind.PREFIX for route in routes)


def _hosts(made: _Import, thing: Thing, spec: Part) -> tuple[str, ...] | None:
    """The hosts that the route and its listeners share; none: any; None: they share nothing."""
    own = spec.texts("hostnames")
    offered: list[str | None] = []
    for parent in spec.parts("parentRefs"):
        parent.ignore("group", "kind", "namespace")
        name = parent.text("name") or ""
        if "sectionName" in parent or "port" in parent:
            message = f"{thing.called} hangs on one listener of {name}; in agw a route answers on every port"
            made.draft.findings.differs(parent.place, message, "state agw:hostname where that matters")
            parent.ignore("sectionName", "port")
        offered += made.hosts.get(name, [None])
    return shared(own, offered)


def _matches(made: _Import, rule: Part, wanted: str) -> list[RouteDraft]:
    """A route for each path with its predicates; the methods of alternatives that say the same else are joined."""
    listed = rule.parts("matches")
    if not listed:
        return [RouteDraft(wanted, rule.place, prefix("/"))]
    paged = any(_is_cors(each) for each in rule.parts("filters"))
    found: dict[tuple[object, ...], RouteDraft] = {}
    anyway: set[tuple[object, ...]] = set()
    for match in listed:
        path = _path(match)
        headers, query = tests(match, "headers", header=True), tests(match, "queryParams", header=False)
        method = match.text("method")
        if path is None or headers is None or query is None:
            continue
        if paged and is_preflight((method or "",), headers):
            continue
        key = (path, headers, query)
        route = found.setdefault(key, RouteDraft(wanted, match.place, path, headers=headers, query=query))
        if method is None:
            anyway.add(key)
        elif method not in route.methods:
            route.methods = (*route.methods, method)
    made_routes: list[RouteDraft] = []
    for same, route in found.items():
        if same in anyway:
            route.methods = ()
        if "GET" in route.methods and "HEAD" not in route.methods and not made.implied_head:
            made.implied_head = True
            message = "a route that takes GET takes HEAD in agw, too; Gateway API answers HEAD only where it is stated"
            made.draft.findings.differs(route.place, message, note=True)
        made_routes.append(route)
    return made_routes


def _is_cors(each: Part) -> bool:
    each.drop()  # it is read once more
    return each.text("type") == "CORS"


def _path(match: Part) -> PathMatch | None:
    stated = match.part("path")
    if stated is None:
        return prefix("/")
    kind, value = stated.text("type") or "PathPrefix", stated.text("value") or "/"
    try:
        return _PATHS[kind](value)
    except KeyError:
        reason = f"{kind!r} is no way to match a path that agw knows"
    except UnsayableError as error:
        reason = str(error)
    match.drop()
    match.findings.lost(stated.place, f"{match.name} is not taken over: {reason}", "correct it there, or write a route")
    return None


def _policies(made: _Import, thing: Thing, rule: Part, route: RouteDraft, *, prefixed: bool) -> None:
    for each in rule.parts("filters"):
        _filter(made, thing, each, route, prefixed=prefixed)
    targets = []
    for backend in rule.parts("backendRefs"):
        weight = backend.integer("weight")
        service = _backend(made, thing, backend)
        if service is not None:
            targets.append((service, 1 if weight is None else weight))
    if targets and any(predicate == AGW.hasRedirect for predicate, _ in route.stated):
        made.draft.findings.lost(rule.at("backendRefs"), f"{rule.name}: a rule that redirects has no backends", None)
    else:
        made.draft.shares(route, targets)
    limits = rule.part("timeouts")
    if limits is not None:
        whole, single = seconds(limits, "request") or None, seconds(limits, "backendRequest") or None
        if whole or single:
            timeout = anonymous("Timeout")
            timeout.say(AGW.timeoutDuration, Seconds(whole) if whole else None)
            timeout.say(AGW.perAttemptTimeout, Seconds(single) if single else None)
            route.say(AGW.hasTimeout, timeout)
    retry = rule.part("retry")
    if retry is not None:
        policy = anonymous("RetryPolicy", (AGW.retryAttempts, retry.integer("attempts")))
        policy.say(AGW.retryStatus, *(int(code) for code in retry.texts("codes") if code.isdigit()))
        wait = seconds(retry, "backoff")
        policy.say(AGW.initialDelayMs, round(wait * 1000) if wait else None)
        route.say(AGW.hasRetryPolicy, policy)


def _backend(made: _Import, thing: Thing, reference: Part) -> Subject | None:
    kind, group = reference.text("kind") or "Service", reference.text("group") or ""
    name, port = reference.text("name"), reference.integer("port")
    if (kind, group) != ("Service", "") or name is None or port is None:
        message = f"{reference.name}: a backend is a Service with a port; {kind} {name} is not taken over"
        reference.drop()
        made.draft.findings.lost(reference.place, message, "write an agw:BackendService with its address")
        return None
    namespace = reference.text("namespace") or thing.namespace
    if namespace != thing.namespace and not made.grants & {
        (thing.namespace or "", namespace or "", allowed) for allowed in (None, name)
    }:
        message = f"{reference.name}: no ReferenceGrant among the files allows {name} in {namespace}; agw needs none"
        made.draft.findings.differs(reference.place, message, "see that this is what its owners want")
    service = made.cluster.service(name, namespace, port, reference.place, f"Service {name}, port {port}")
    if thing.kind == "GRPCRoute" and (AGW.upstreamProtocol, "h2") not in service.stated:
        service.say(AGW.upstreamProtocol, "h2")
    return service


def _filter(made: _Import, thing: Thing, each: Part, route: RouteDraft, *, prefixed: bool) -> None:
    kind = each.text("type")
    if kind == "RequestRedirect" and (stated := each.part("requestRedirect")) is not None:
        redirect = anonymous("Redirect")
        redirect.say(AGW.redirectScheme, stated.text("scheme")).say(AGW.redirectHost, stated.text("hostname"))
        redirect.say(AGW.redirectPort, stated.integer("port")).say(AGW.redirectStatus, stated.integer("statusCode"))
        _change(stated, redirect, prefixed=prefixed)
        route.say(AGW.hasRedirect, redirect)
    elif kind == "URLRewrite" and (stated := each.part("urlRewrite")) is not None:
        rewrite = anonymous("Rewrite", (AGW.rewriteHost, stated.text("hostname")))
        _change(stated, rewrite, prefixed=prefixed)
        if rewrite.stated:
            route.say(AGW.hasRewrite, rewrite)
    elif kind == "RequestHeaderModifier" and (stated := each.part("requestHeaderModifier")) is not None:
        route.say(AGW.hasRequestTransformation, header_changes(stated, "RequestTransformation"))
    elif kind == "ResponseHeaderModifier" and (stated := each.part("responseHeaderModifier")) is not None:
        route.say(AGW.hasResponseTransformation, header_changes(stated, "ResponseTransformation"))
    elif kind == "RequestMirror" and (stated := each.part("requestMirror")) is not None:
        _mirror(made, thing, stated, route)
    elif kind == "CORS" and (stated := each.part("cors")) is not None:
        cors_policy(stated, route, compared=False)
    else:
        each.drop()
        message = f"{each.name}: agw has nothing like {kind}; its routes are served without"
        made.draft.findings.lost(each.place, message, "let the backend do it, or keep a proxy that does")


def _change(stated: Part, subject: Subject, *, prefixed: bool) -> None:
    path = stated.part("path")
    if path is None:
        return
    kind = path.text("type")
    full, start = path.text("replaceFullPath"), path.text("replacePrefixMatch")
    if kind == "ReplaceFullPath" and full is not None:
        subject.say(AGW.replaceFullPath, full)
    elif kind == "ReplacePrefixMatch" and start is not None and prefixed:
        subject.say(AGW.replacePrefixMatch, start or "/")
    else:
        message = f"{path.name}: agw replaces whole paths, and the prefix of routes that all have one"
        path.findings.lost(path.place, message, "write agw:rewritePattern")


def _mirror(made: _Import, thing: Thing, stated: Part, route: RouteDraft) -> None:
    reference = stated.part("backendRef")
    service = _backend(made, thing, reference) if reference is not None else None
    fraction = stated.part("fraction")
    percent: float | None = stated.number("percent")
    if fraction is not None:
        percent = 100 * (fraction.number("numerator") or 0) / (fraction.number("denominator") or 100)
    if service is None:
        return
    mirror = anonymous("TrafficMirroring", (AGW.targetService, Ref(str(service.iri))))
    if percent is not None and percent != 100:
        mirror.say(AGW.mirrorPercent, int(percent) if float(percent).is_integer() else percent)
    route.say(AGW.hasTrafficMirroring, mirror)
