"""VirtualServices: a route for each alternative of each entry of ``http``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from api_gateway_service_mesh.importers.cors import cors_policy, is_preflight
from api_gateway_service_mesh.importers.draft import Draft, RouteDraft
from api_gateway_service_mesh.importers.header import header_changes
from api_gateway_service_mesh.importers.host import shared
from api_gateway_service_mesh.importers.kubernetes import Thing, seconds
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Subject, anonymous, is_iri
from api_gateway_service_mesh.model import PathKind
from api_gateway_service_mesh.vocabulary import AGW

from .destination import Destinations
from .match import Match, matches
from .order import report_order

__all__ = ["VirtualServices"]

_RETRY_ON: Final = {
    "connect-failure": "connect-failure",
    "reset": "reset",
    "gateway-error": "gateway-error",
    "5xx": "5xx",
    "refused-stream": "refused-stream",
    "cancelled": "grpc-cancelled",
    "deadline-exceeded": "grpc-deadline-exceeded",
    "resource-exhausted": "grpc-resource-exhausted",
    "aborted": "grpc-aborted",
    "internal": "grpc-internal",
    "unavailable": "grpc-unavailable",
}
_DEFAULT_RETRY: Final = "connect-failure,refused-stream,unavailable,cancelled"
_IDEMPOTENT: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
_WHOLE: Final = ("^.*$", ".*", "^.*", ".*$")


class VirtualServices:
    """Takes them one by one; `hosts`: what each Gateway among the files listens for."""

    def __init__(self, draft: Draft, there: Destinations, hosts: Mapping[str, list[str | None]]) -> None:
        self._draft = draft
        self._there = there
        self._hosts = hosts
        self._told: set[str] = set()

    def take(self, thing: Thing) -> None:
        """Take over one VirtualService."""
        spec = thing.spec()
        spec.ignore("exportTo")
        hosts = self._named(thing, spec)
        if hosts is None:
            spec.drop()
            message = f"{thing.called}: its gateways take none of its hosts"
            self._draft.findings.lost(thing.place, message, "correct one of them")
            return
        made: list[RouteDraft] = []
        for at, http in enumerate(spec.parts("http")):
            made += self._http(thing, http, at, hosts)
        report_order(made, self._draft.findings)
        self._draft.routes += made

    def _named(self, thing: Thing, spec: Part) -> tuple[str, ...] | None:
        stated = [host.lower() for host in spec.texts("hosts")]
        gateways = [name.rpartition("/")[2] for name in spec.texts("gateways")]
        own: list[str] = []
        for host in stated:
            own.append(host)
            if "." not in host and host != "*" and thing.namespace:
                ends = ("", ".svc", ".svc.cluster.local")
                own += [f"{host}.{thing.namespace}{end}" for end in ends]
        if "*" in own:
            own = []
        offered = [host for name in gateways for host in self._hosts.get(name, [None])]
        return shared(own, offered)

    def _http(self, thing: Thing, http: Part, at: int, hosts: tuple[str, ...]) -> list[RouteDraft]:
        name = http.text("name")
        iri = name if name and is_iri(name) else None
        wanted = f"{thing.name}-{name}" if name and not iri else f"{thing.name}-{at + 1}"
        found = matches(http)
        pages = http.part("corsPolicy")
        if pages is not None:
            found = [match for match in found if not is_preflight(match.methods, match.headers)] or found
        if "delegate" in http or not found:
            http.drop()
            if found:
                self._draft.findings.lost(http.place, f"{http.name}: agw delegates nothing", "import the other one too")
            return []
        made: list[RouteDraft] = []
        for number, match in enumerate(found):
            route = RouteDraft(f"{wanted}-{number + 1}" if number else wanted, match.place, match.path)
            route.comment, route.hosts, route.methods = f"{thing.called}, http {at + 1}", hosts, match.methods
            route.headers, route.query, route.iri = match.headers, match.query, iri if number == 0 else None
            made.append(route)
        self._note_head(http, made)
        policies = RouteDraft(wanted, http.place, found[0].path, methods=found[0].methods)
        self._goes(thing, http, policies)
        if pages is not None:
            cors_policy(pages, policies, compared=True)
        rewrites = http.part("rewrite")
        for match, route in zip(found, made, strict=True):
            route.stated += policies.stated
            if rewrites is not None:
                _rewrite(rewrites, match, route)
        return made

    def _note_head(self, http: Part, made: list[RouteDraft]) -> None:
        if any("GET" in route.methods and "HEAD" not in route.methods for route in made):
            self._once(
                http, "a route that takes GET takes HEAD in agw, too; Istio answers HEAD only where it is stated"
            )

    def _once(self, http: Part, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._draft.findings.differs(http.place, message, note=True)

    def _goes(self, thing: Thing, http: Part, route: RouteDraft) -> None:
        changed = http.part("headers")
        for what, has in (("request", AGW.hasRequestTransformation), ("response", AGW.hasResponseTransformation)):
            each = changed.part(what) if changed is not None else None
            if each is not None:
                route.say(has, header_changes(each, f"{what.capitalize()}Transformation"))
        redirect, direct = http.part("redirect"), http.part("directResponse")
        if direct is not None:
            body = direct.part("body")
            said = anonymous("DirectResponse", (AGW.responseStatus, direct.integer("status")))
            route.say(AGW.hasDirectResponse, said.say(AGW.responseBody, body.text("string") if body else None))
            return
        if redirect is not None:
            route.say(AGW.hasRedirect, _redirect(redirect))
            return
        targets: list[tuple[Subject, int]] = []
        balancers: list[Subject | None] = []
        listed = http.parts("route")
        for each in listed:
            destination, weight = each.part("destination"), each.integer("weight")
            found = self._there.service(destination, thing.namespace) if destination is not None else None
            if found is not None:
                targets.append((found[0], (1 if len(listed) == 1 else 0) if weight is None else weight))
                balancers.append(found[1])
        if not targets:
            self._draft.findings.lost(
                http.place, f"{http.name}: it sends nowhere, and answers 503 here", "name a destination"
            )
        self._draft.shares(route, targets)
        if any(balancer is not None for balancer in balancers):
            first = next(balancer for balancer in balancers if balancer is not None)
            if any(balancer is None or balancer.stated != first.stated for balancer in balancers):
                message = f"{http.name}: its services are balanced in different ways; in agw a route has one"
                self._draft.findings.differs(http.place, message, "look which of them it shall be")
            route.say(AGW.hasLoadBalancer, first)
        self._waits(http, route)
        self._copies(thing, http, route)
        fault = http.part("fault")
        if fault is not None:
            route.say(AGW.hasFaultInjection, _fault(fault))

    def _waits(self, http: Part, route: RouteDraft) -> None:
        whole, retries = seconds(http, "timeout") or None, http.part("retries")
        single: float | None = None
        if retries is None:
            self._once(http, "Istio tries twice more by itself where no retries are stated; agw then does not")
        else:
            single = seconds(retries, "perTryTimeout") or None
            attempts = retries.integer("attempts")
            if attempts is None or attempts > 0:
                route.say(AGW.hasRetryPolicy, self._retry(http, retries, 2 if attempts is None else attempts, route))
            else:
                retries.ignore("retryOn", "backoff")
        if whole or single:
            timeout = anonymous("Timeout", (AGW.timeoutDuration, Seconds(whole) if whole else None))
            route.say(AGW.hasTimeout, timeout.say(AGW.perAttemptTimeout, Seconds(single) if single else None))

    def _retry(self, http: Part, retries: Part, attempts: int, route: RouteDraft) -> Subject:
        policy = anonymous("RetryPolicy", (AGW.retryAttempts, attempts))
        wait = seconds(retries, "backoff")
        policy.say(AGW.initialDelayMs, round(wait * 1000) if wait else None)
        kinds: list[str] = []
        for word in (retries.text("retryOn") or _DEFAULT_RETRY).split(","):
            name = word.strip()
            if name.isdigit() and len(name) == 3:
                policy.say(AGW.retryStatus, int(name))
            elif name in _RETRY_ON:
                kinds.append(_RETRY_ON[name])
                if name == "reset" and "perTryTimeout" in retries:
                    kinds.append("timeout")  # Envoy's "reset" covers a backend that does not answer in one try's time
            elif name and name != "retriable-status-codes":
                message = f"{http.name}: agw does not try again after {name}"
                self._draft.findings.lost(retries.at("retryOn"), message, "see agw:retryOn for what it knows")
        sent = [kind for kind in kinds if kind not in ("connect-failure", "refused-stream") and "grpc" not in kind]
        if sent and (not route.methods or set(route.methods) - _IDEMPOTENT):
            self._once(http, "agw tries POST and the like again only when no byte of it left; Istio always does")
        return policy.say(AGW.retryOn, *kinds)

    def _copies(self, thing: Thing, http: Part, route: RouteDraft) -> None:
        one, share = http.part("mirror"), http.part("mirrorPercentage")
        listed: list[tuple[Part, Part | None]] = [] if one is None else [(one, share)]
        for each in http.parts("mirrors"):
            destination = each.part("destination")
            if destination is not None:
                listed.append((destination, each.part("percentage")))
        for destination, percentage in listed:
            found = self._there.service(destination, thing.namespace)
            if found is not None:
                mirror = anonymous("TrafficMirroring", (AGW.targetService, Ref(str(found[0].iri))))
                route.say(AGW.hasTrafficMirroring, mirror.say(AGW.mirrorPercent, _percent(percentage)))


def _percent(part: Part | None) -> int | float | None:
    value = part.number("value") if part is not None else None
    if value is None or value == 100:
        return None
    return int(value) if value.is_integer() else value


def _fault(part: Part) -> Subject:
    made = anonymous("FaultInjection")
    delay, abort = part.part("delay"), part.part("abort")
    if delay is not None:
        wait = seconds(delay, "fixedDelay")
        made.say(AGW.delayDuration, Seconds(wait) if wait else None)
        made.say(AGW.delayPercent, _percent(delay.part("percentage")))
    if abort is not None:
        made.say(AGW.abortStatus, abort.integer("httpStatus")).say(AGW.abortPercent, _percent(abort.part("percentage")))
    return made


def _redirect(part: Part) -> Subject:
    made = anonymous("Redirect", (AGW.redirectScheme, part.text("scheme")), (AGW.redirectHost, part.text("authority")))
    code, port, derived = part.integer("redirectCode"), part.integer("port"), part.text("derivePort")
    made.say(AGW.redirectPort, port).say(AGW.redirectStatus, 301 if code is None else code)
    if derived == "FROM_REQUEST_PORT":
        message = f"{part.name}: agw sends to the new scheme's own port, not to the request's"
        part.findings.differs(part.at("derivePort"), message, "state agw:redirectPort")
    uri = part.text("uri")
    if uri is not None and "%" in uri:
        part.findings.lost(part.at("uri"), f"{part.name}: agw fills in no {uri}", "state agw:replaceFullPath")
    else:
        made.say(AGW.replaceFullPath, uri)
    return made


def _rewrite(part: Part, match: Match, route: RouteDraft) -> None:
    made = anonymous("Rewrite", (AGW.rewriteHost, part.text("authority")))
    uri, pattern = part.text("uri"), part.part("uriRegexRewrite")
    if pattern is not None:
        found, new = pattern.text("match") or "", pattern.text("rewrite") or ""
        prefix = f"^{re.escape(match.path.text)}" if match.path.kind is PathKind.PREFIX else None
        if (prefix is not None and (found, new) == (f"{prefix}/*", "/")) or (
            found == prefix and new.startswith("/") and "\\" not in new
        ):
            made.say(AGW.replacePrefixMatch, new)
        elif found in _WHOLE and "\\" not in new:
            made.say(AGW.replaceFullPath, new)
        else:
            made.say(AGW.rewritePattern, found).say(AGW.rewriteSubstitution, new)
    elif uri is not None and match.path.kind is PathKind.PREFIX:
        made.say(AGW.replacePrefixMatch, uri or "/")
        if match.slashed and match.path.text and not uri.endswith("/"):
            message = f"{part.name}: Istio puts {uri} in the place of {match.path.text}/ with its slash; agw keeps one"
            part.findings.differs(part.at("uri"), message, f"{match.path.text}/x went to {uri}x, and goes to {uri}/x")
    elif uri is not None:
        made.say(AGW.replaceFullPath, uri)
    if made.stated:
        route.say(AGW.hasRewrite, made)
