"""Virtual hosts and their routes. Envoy takes the first of a list that holds; `first_match` keeps that."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.importers.draft import Draft, RouteDraft
from api_gateway_service_mesh.importers.first_match import keep_order
from api_gateway_service_mesh.importers.kubernetes import seconds
from api_gateway_service_mesh.importers.meet import ANY, wider
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.path import UnsayableError, prefix
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject, anonymous
from api_gateway_service_mesh.model import PathKind, PathMatch
from api_gateway_service_mesh.vocabulary import AGW

from .cluster import Clusters
from .filters import filters_of
from .match import Match, match_of, share

__all__ = ["VirtualHosts"]

_TIMEOUT: Final = 15.0  # Envoy's own
_STATUS: Final = {
    "MOVED_PERMANENTLY": 301, "FOUND": 302, "SEE_OTHER": 303, "TEMPORARY_REDIRECT": 307, "PERMANENT_REDIRECT": 308,
}  # fmt: skip
_RETRY_ON: Final = frozenset({"connect-failure", "reset", "gateway-error", "5xx", "refused-stream"})
_CHANGES: Final = (
    ("request", AGW.hasRequestTransformation, "RequestTransformation"),
    ("response", AGW.hasResponseTransformation, "ResponseTransformation"),
)


class VirtualHosts:
    """Those of one connection manager; `stated`: what its filters say of all routes."""

    def __init__(self, draft: Draft, clusters: Clusters, stated: list[Stated]) -> None:
        self._draft = draft
        self._clusters = clusters
        self._stated = stated

    def take(self, config: Part) -> None:
        """Take over a ``RouteConfiguration``."""
        config.ignore("name", "validate_clusters", "ignore_port_in_host_matching", "internal_only_headers")
        config.ignore("max_direct_response_body_size_bytes")
        found: list[tuple[Part, list[str]]] = [(part, self._domains(part)) for part in config.parts("virtual_hosts")]
        every = [host for _, hosts in found for host in hosts]
        around = _changes(config)
        for part, hosts in found:
            if not hosts:
                part.drop()
                continue
            self._host(part, hosts, every, around)

    def _domains(self, part: Part) -> list[str]:
        stated = [host.lower() for host in part.texts("domains")]
        kept: list[str] = []
        for host in stated:
            name, _, port = host.partition(":")
            if port and name in stated:
                continue  # the same host is there without its port
            if port or "*" in host.removeprefix("*.").removeprefix("*" if host == "*" else "\0"):
                message = (
                    f"{part.name}: agw names hosts without ports, with a star for the first labels only: not {host}"
                )
                self._draft.findings.lost(part.at("domains"), message, "name the hosts")
                continue
            kept.append(host)
        return [ANY] if ANY in kept else kept

    def _host(self, part: Part, hosts: list[str], every: list[str], around: dict[str, list[Stated]]) -> None:
        name = part.text("name") or "host"
        if "matcher" in part:
            part.drop()
            message = f"{part.name}: agw reads lists of routes, no match trees; {name} is not taken over"
            self._draft.findings.lost(part.place, message, "give the list, or what the tree was made from")
            return
        if (part.text("require_tls") or "NONE") != "NONE":
            message = f"{part.name}: {name} sends everybody to https there; here it serves its routes"
            remedy = 'state agw:hasRedirect [ a agw:Redirect ; agw:redirectScheme "https" ; agw:redirectStatus 301 ]'
            self._draft.findings.lost(part.at("require_tls"), message, remedy)
        mine, own = _changes(part), () if hosts == [ANY] else tuple(hosts)
        nearer = [*filters_of(self._draft, part), *self._stated]
        made: list[RouteDraft] = []
        for at, each in enumerate(part.parts("routes")):
            route = self._route(each, f"{name}-{each.text('name') or at + 1}", own, nearer)
            if route is not None:
                for predicate, kind in ((has, kind) for _, has, kind in _CHANGES):
                    said = [*_changes(each)[kind], *mine[kind], *around[kind]]
                    route.say(predicate, Subject(kind, stated=said) if said else None)
                made.append(route)
        self._note_paths(made)
        if any(wider(other, host) for host in hosts for other in every):
            # Envoy looks no further than the host; agw would go on to routes of wider ones.
            rest = RouteDraft(f"{name}-otherwise", part.place, prefix("/"), f"{name}: nothing else", hosts=own)
            rest.stated += nearer
            rest.say(AGW.hasDirectResponse, anonymous("DirectResponse", (AGW.responseStatus, 404)))
            made.append(rest)
        self._draft.routes += keep_order(made, self._draft.findings, there="Envoy")

    def _note_paths(self, routes: list[RouteDraft]) -> None:
        for route in routes:
            text = route.path.text
            if route.path.kind is not PathKind.PREFIX or not text:
                continue
            if route.slashed and not any(other.path == PathMatch(PathKind.EXACT, text) for other in routes):
                message = f"{route.wanted}: Envoy's prefix {text}/ does not take {text}; agw's {text}/* does"
                remedy = f"give {text} a route of its own where that matters"
                self._draft.findings.differs(route.place, message, remedy)

    def _route(self, part: Part, wanted: str, hosts: tuple[str, ...], around: list[Stated]) -> RouteDraft | None:
        part.ignore("name", "metadata", "decorator", "stat_prefix", "tracing")
        asked = part.part("match")
        try:
            if asked is None:
                raise UnsayableError("it has no match")
            match = match_of(asked)
        except UnsayableError as error:
            (asked or part).drop()
            part.drop()
            self._draft.findings.lost(
                part.place, f"{part.name} is not taken over: {error}", "write one for what it takes"
            )
            return None
        route = RouteDraft(wanted, part.place, match.path, f"route {wanted}", hosts=hosts, methods=match.methods)
        route.headers, route.query, route.slashed = match.headers, match.query, match.slashed
        if match.wide and match.path.text:
            message = f"{wanted}: Envoy's prefix {match.path.text} goes by characters, agw's by whole segments"
            self._draft.findings.differs(part.place, message, "write a regular expression where more is meant")
        route.stated += [*filters_of(self._draft, part), *around]
        redirect, direct, action = part.part("redirect"), part.part("direct_response"), part.part("route")
        if redirect is not None:
            route.say(AGW.hasRedirect, _redirect(redirect, match))
        elif direct is not None:
            body = direct.part("body")
            said = anonymous("DirectResponse", (AGW.responseStatus, direct.integer("status")))
            route.say(AGW.hasDirectResponse, said.say(AGW.responseBody, body.text("inline_string") if body else None))
        elif action is not None:
            self._action(action, route, match)
        return route

    def _action(self, part: Part, route: RouteDraft, match: Match) -> None:
        targets: list[tuple[Subject, int]] = []
        balancer: Subject | None = None
        cluster, weighted = part.text("cluster"), part.part("weighted_clusters")
        listed = [(cluster, 1, part)] if cluster is not None else []
        if weighted is not None:
            weighted.ignore("total_weight")
            listed += [
                (each.text("name") or "", each.integer("weight") or 0, each) for each in weighted.parts("clusters")
            ]
        for name, weight, place in listed:
            found = self._clusters.named(name, place.place)
            if found is not None:
                targets.append((found[0], weight))
                balancer = balancer or found[1]
        self._draft.shares(route, targets)
        route.say(AGW.hasLoadBalancer, balancer)
        _rewrite(part, route, match)
        stated = seconds(part, "timeout")
        whole = _TIMEOUT if stated is None else stated
        retries = part.part("retry_policy")
        single = seconds(retries, "per_try_timeout") if retries is not None else None
        if whole or single:
            timeout = anonymous("Timeout", (AGW.timeoutDuration, Seconds(whole) if whole else None))
            route.say(AGW.hasTimeout, timeout.say(AGW.perAttemptTimeout, Seconds(single) if single else None))
        if retries is not None:
            route.say(AGW.hasRetryPolicy, _retry(retries))
        for mirror in part.parts("request_mirror_policies"):
            fraction = mirror.part("runtime_fraction")
            percent = share(fraction.part("default_value")) if fraction is not None else 100.0
            if fraction is not None:
                fraction.ignore("runtime_key")
            target = self._clusters.named(mirror.text("cluster") or "", mirror.place)
            if target is not None:
                copy = anonymous("TrafficMirroring", (AGW.targetService, Ref(str(target[0].iri))))
                route.say(AGW.hasTrafficMirroring, copy.say(AGW.mirrorPercent, None if percent == 100 else percent))


def _changes(part: Part) -> dict[str, list[Stated]]:
    """Changes of header fields, by the kind of transformation."""
    found: dict[str, list[Stated]] = {}
    for side, _, kind in _CHANGES:
        said = found.setdefault(kind, [])
        for each in part.parts(f"{side}_headers_to_add"):
            header = each.part("header")
            name, value = (header.text("key"), header.text("value")) if header is not None else (None, None)
            how = each.text("append_action") or "APPEND_IF_EXISTS_OR_ADD"
            plain = each.flag("append")
            value = value or ""
            if "%" in value.replace("%%", "") or how not in ("APPEND_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS_OR_ADD"):
                message = f"{each.name}: {name} is not taken over: agw has no {how if '%' not in value else value}"
                part.findings.lost(each.place, message, "state a fixed value, or let the backend do it")
                continue
            sets = how.startswith("OVERWRITE") or plain is False
            said.append((AGW.setsHeader if sets else AGW.addsHeader, f"{name}: {value.replace('%%', '%')}"))
        said += [(AGW.removesHeader, name) for name in part.texts(f"{side}_headers_to_remove")]
    return found


def _redirect(part: Part, match: Match) -> Subject:
    scheme = "https" if part.flag("https_redirect") else part.text("scheme_redirect")
    made = anonymous("Redirect", (AGW.redirectScheme, scheme), (AGW.redirectHost, part.text("host_redirect")))
    made.say(AGW.redirectPort, part.integer("port_redirect"))
    made.say(AGW.redirectStatus, _STATUS.get(part.text("response_code") or "MOVED_PERMANENTLY", 301))
    whole, new = part.text("path_redirect"), part.text("prefix_rewrite")
    if part.flag("strip_query"):
        part.findings.lost(part.at("strip_query"), f"{part.name}: agw keeps the query", "see whether that matters")
    if whole is not None and "?" in whole:
        part.findings.lost(part.at("path_redirect"), f"{part.name}: agw keeps the query, and sets none", "state a path")
        whole = whole.partition("?")[0]
    made.say(AGW.replaceFullPath, whole)
    return _new_path(part, made, new, match)


def _new_path(part: Part, made: Subject, new: str | None, match: Match) -> Subject:
    """``prefix_rewrite``: of a route with another kind of path the whole of it."""
    if new is None:
        return made
    if match.path.kind is not PathKind.PREFIX:
        return made.say(AGW.replaceFullPath, new or "/")
    text = match.path.text
    if text and match.slashed != new.endswith("/"):
        message = f"{part.name}: Envoy makes {new}x or {new}/x of what follows {text}; agw puts one slash between"
        part.findings.differs(part.at("prefix_rewrite"), message, note=not match.slashed)
    return made.say(AGW.replacePrefixMatch, new or "/")


def _rewrite(part: Part, route: RouteDraft, match: Match) -> None:
    made = anonymous("Rewrite", (AGW.rewriteHost, part.text("host_rewrite_literal")))
    regex = part.part("regex_rewrite")
    pattern = regex.part("pattern") if regex is not None else None
    if regex is not None and pattern is not None:
        pattern.ignore("google_re2")
        made.say(AGW.rewritePattern, pattern.text("regex")).say(
            AGW.rewriteSubstitution, regex.text("substitution") or ""
        )
    _new_path(part, made, part.text("prefix_rewrite"), match)
    if made.stated:
        route.say(AGW.hasRewrite, made)


def _retry(part: Part) -> Subject:
    attempts = part.integer("num_retries")
    made = anonymous("RetryPolicy", (AGW.retryAttempts, 1 if attempts is None else attempts))
    wait = part.part("retry_back_off")
    if wait is not None:
        for key, term in (("base_interval", AGW.initialDelayMs), ("max_interval", AGW.maximumDelayMs)):
            value = seconds(wait, key)
            made.say(term, round(value * 1000) if value else None)
    for word in (part.text("retry_on") or "").replace(" ", "").split(","):
        if word in _RETRY_ON:
            made.say(AGW.retryOn, word)
        elif word == "retriable-status-codes":
            made.say(AGW.retryStatus, *(int(code) for code in part.texts("retriable_status_codes") if code.isdigit()))
        elif word:
            part.findings.lost(
                part.at("retry_on"), f"{part.name}: agw does not try again after {word}", "see agw:retryOn"
            )
    part.ignore("retriable_status_codes", "host_selection_retry_max_attempts")
    return made
