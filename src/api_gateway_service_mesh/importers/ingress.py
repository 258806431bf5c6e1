"""Kubernetes Ingress (``networking.k8s.io/v1``), with the annotations of ingress-nginx that agw has an equal for.

Both rank paths as agw does: exact, then the longest prefix. An annotation that is not taken over is reported; those
that keep callers out, as something that is open until it is stated anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.model import PathMatch
from api_gateway_service_mesh.vocabulary import AGW

from .draft import Draft, RouteDraft
from .kubernetes import Cluster, Thing, things
from .listener import listener
from .part import Part
from .path import UnsayableError, exact, expression, prefix
from .turtle import Object, Seconds, Stated, Subject, anonymous

__all__ = ["import_ingress"]

_NGINX: Final = "nginx.ingress.kubernetes.io/"
_SILENT: Final = ("kubectl.kubernetes.io/", "meta.helm.sh/", "kubernetes.io/ingress.class", "agw.ggen.ai/")
_GUARDS: Final = ("whitelist-", "allowlist-", "denylist-", "auth-", "satisfy")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_HTTPS: Final = ("HTTPS", "GRPCS")


@dataclass(slots=True)
class _Import:
    draft: Draft
    cluster: Cluster
    folder: str | None
    wildcard_told: bool = False


class _Annotations:
    """Those of one Ingress that are ingress-nginx's, read one by one."""

    def __init__(self, draft: Draft, thing: Thing) -> None:
        self._draft = draft
        self._thing = thing
        self._read: set[str] = set()

    def text(self, name: str) -> str | None:
        """One, as it stands."""
        self._read.add(_NGINX + name)
        return self._thing.annotations.get(_NGINX + name)

    def number(self, name: str) -> int | None:
        """A whole number above 0."""
        text = self.text(name)
        if text is None:
            return None
        if _NUMBER.fullmatch(text) and int(text):
            return int(text)
        self.lost(name, f"is no number above 0: {text!r}", "correct it there")
        return None

    def lost(self, name: str, what: str, remedy: str) -> None:
        """Report one of them."""
        place = self._thing.places.get(_NGINX + name, self._thing.place)
        self._draft.findings.lost(place, f"{self._thing.called}: {name} {what}", remedy)

    def close(self) -> None:
        """Report those that nobody read."""
        for key, place in self._thing.places.items():
            if key in self._read or key.startswith(_SILENT):
                continue
            name = key.removeprefix(_NGINX)
            remedy = "see whether you need it; agw has other words, or none, for it"
            if name.startswith(_GUARDS):
                remedy = "its routes are open to all until you state agw:hasAuthentication or agw:hasAuthorization"
            self._draft.findings.lost(place, f"{self._thing.called}: the annotation {name} is not taken over", remedy)


def import_ingress(draft: Draft, documents: Iterable[Map], *, certificates: str | None = None) -> None:
    """Take over what `documents` say. `certificates`: the folder that the Secrets' certificates are in."""
    made = _Import(draft, Cluster(draft), certificates)
    found: list[Thing] = []
    for thing in things(draft.findings, documents):
        if made.cluster.take(thing):
            continue
        if thing.kind == "Ingress" and thing.group == "networking.k8s.io":
            found.append(thing)
        else:
            thing.body.drop()
            remedy = "see whether you need it; agw import ingress reads Ingresses and Services"
            draft.findings.lost(thing.place, f"{thing.called} is not taken over", remedy)
    for thing in found:
        _ingress(made, thing)


def _ingress(made: _Import, thing: Thing) -> None:
    draft, spec, notes = made.draft, thing.spec(), _Annotations(made.draft, thing)
    spec.ignore("ingressClassName")
    if notes.text("canary") == "true":
        spec.drop()
        remedy = "give the route of the other Ingress agw:hasTrafficSplit, with agw:weight or agw:steeredBy"
        draft.findings.lost(thing.place, f"{thing.called} is a canary of another, and not taken over", remedy)
        return
    secrets = []
    for tls in spec.parts("tls"):
        tls.ignore("hosts")
        secrets.append(tls.text("secretName") or "")
    if secrets:
        _listen(made, thing, [name for name in secrets if name])
    expressions = notes.text("use-regex") == "true" or "$" in (notes.text("rewrite-target") or "")
    scheme = _scheme(notes)
    routes: list[RouteDraft] = []
    fallback = spec.part("defaultBackend")
    if fallback is not None:
        routes.append(_route(made, thing, fallback, "", (prefix("/"), ""), scheme))
    for rule in spec.parts("rules"):
        host, http = rule.text("host") or "", rule.part("http")
        if host.startswith("*.") and not made.wildcard_told:
            made.wildcard_told = True
            message = f"{host} stands for one label there, and for one or more in agw"
            draft.findings.differs(rule.at("host"), message, note=True)
        for each in http.parts("paths") if http is not None else []:
            path, backend = _path(thing, each, expressions=expressions), each.part("backend")
            if path is not None and backend is not None:
                routes.append(_route(made, thing, backend, host, path, scheme))
    _policies(notes, routes, tls=443 in draft.listeners)
    notes.close()
    draft.routes += routes


def _listen(made: _Import, thing: Thing, secrets: list[str]) -> None:
    """Ports 80 and 443, as ingress controllers have them; the certificates of several Ingresses are joined."""
    there = made.draft.listeners.pop(443, None)
    listener(made.draft, 443, thing.place, secrets=secrets, folder=made.folder)
    if 443 in made.draft.listeners:
        if there is not None:
            made.draft.listeners[443].stated += there.stated
        listener(made.draft, 80, thing.place, secrets=None, folder=None)


def _scheme(notes: _Annotations) -> tuple[str, str | None]:
    """What addresses begin with, and the version of HTTP."""
    stated = (notes.text("backend-protocol") or "HTTP").upper()
    if stated not in ("HTTP", "GRPC", *_HTTPS):
        notes.lost("backend-protocol", f"asks for {stated}; plain HTTP is written", "agw speaks HTTP and gRPC")
    return "https://" if stated in _HTTPS else "", "h2" if stated.startswith("GRPC") else None


def _path(thing: Thing, part: Part, *, expressions: bool) -> tuple[PathMatch, str] | None:
    """The path, and for expressions the pattern that a rewrite replaces."""
    kind, text = part.text("pathType") or "ImplementationSpecific", part.text("path") or "/"
    try:
        if expressions and kind != "Exact":
            whole = text.removesuffix("$") if text.endswith(("$", ".*", ".*)")) else f"{text}.*"
            message = f"{thing.called}: nginx compares {text} without regard to case, agw with"
            part.findings.differs(part.at("path"), message, "put (?i) before it where that matters", note=True)
            return expression(whole.removeprefix("^")), f"^{whole.removeprefix('^')}$"
        if kind == "Exact":
            return exact(text), ""
        if kind == "ImplementationSpecific" and text != "/":
            message = f"{thing.called}: {text} is taken as Prefix, by segments; its controller may see it otherwise"
            part.findings.differs(part.place, message, "state pathType: Prefix or Exact there")
        return prefix(text), ""
    except UnsayableError as error:
        part.drop()
        part.findings.lost(part.place, f"{thing.called}: a path is not taken over: {error}", "correct it there")
        return None


def _route(
    made: _Import, thing: Thing, backend: Part, host: str, path: tuple[PathMatch, str], scheme: tuple[str, str | None]
) -> RouteDraft:
    name = "-".join(word for word in (thing.name, host if host not in ("", "*") else "", path[0].text) if word)
    route = RouteDraft(name, backend.place, path[0], thing.called, hosts=(host,) if host not in ("", "*") else ())
    route.rewritten = path[1]
    service = backend.part("service")
    named = service.text("name") if service is not None else None
    port = service.part("port") if service is not None else None
    number, word = (port.integer("number"), port.text("name")) if port is not None else (None, None)
    if named is None:
        backend.drop()
        made.draft.findings.lost(backend.place, f"{name}: a backend is a Service; it is answered 503", "name a Service")
        return route
    if number is None:
        number = made.cluster.named.get((thing.namespace, named, word or ""))
    if number is None:
        message = f"{name}: the port {word} of {named} does not stand here; 80 is written"
        made.draft.findings.differs(backend.place, message, "give the Service, too")
        number = 80
    there = made.cluster.service(named, thing.namespace, number, backend.place, f"Service {named}, port {number}")
    if scheme[0]:
        there.stated = [(key, _secure(key, value)) for key, value in there.stated]
    if scheme[1] and (AGW.upstreamProtocol, scheme[1]) not in there.stated:
        there.say(AGW.upstreamProtocol, scheme[1])
    made.draft.shares(route, [(there, 1)])
    return route


def _secure(key: str, value: Object) -> Object:
    plain = key == AGW.address and isinstance(value, str) and not value.startswith("https://")
    return f"https://{value}" if plain else value


def _policies(notes: _Annotations, routes: list[RouteDraft], *, tls: bool) -> None:
    target = notes.text("rewrite-target")
    stated: list[Stated] = []
    forced, wanted = notes.text("force-ssl-redirect") == "true", notes.text("ssl-redirect") != "false"
    if forced or (tls and wanted):
        redirect = anonymous("Redirect", (AGW.redirectScheme, "https"), (AGW.redirectStatus, 308))
        stated.append((AGW.hasRedirect, redirect))
    for name, status in (("permanent-redirect", 301), ("temporal-redirect", 302)):
        url = notes.text(name)
        if url is not None:
            stated = [one for one in stated if one[0] != AGW.hasRedirect]
            stated.append((AGW.hasRedirect, _redirect(url, status)))
    rate = notes.number("limit-rps")
    if rate is not None:
        limit = anonymous("RateLimiter", (AGW.requestsPerSecond, rate), (AGW.limitKey, "client-address"))
        limit.say(AGW.burstSize, rate * (notes.number("limit-burst-multiplier") or 5))
        stated.append((AGW.hasRateLimiter, limit))
    wait = notes.number("proxy-read-timeout")
    if wait is not None:
        stated.append((AGW.hasTimeout, anonymous("Timeout", (AGW.perAttemptTimeout, Seconds(wait)))))
    if notes.text("affinity") == "cookie":
        cookie = anonymous("LoadBalancer", (AGW.stickyCookie, notes.text("session-cookie-name") or "INGRESSCOOKIE"))
        life = notes.number("session-cookie-max-age")
        stated.append((AGW.hasLoadBalancer, cookie.say(AGW.stickyCookieLifetime, Seconds(life) if life else None)))
    for route in routes:
        route.stated += stated
        if target is not None and route.rewritten:
            new = re.sub(r"\$([1-9])", r"\\\1", target)
            rewrite = anonymous("Rewrite", (AGW.rewritePattern, route.rewritten), (AGW.rewriteSubstitution, new))
            route.say(AGW.hasRewrite, rewrite)
        elif target is not None:
            route.say(AGW.hasRewrite, anonymous("Rewrite", (AGW.replaceFullPath, target)))


def _redirect(url: str, status: int) -> Subject:
    """A redirect to a fixed address."""
    parts = urlsplit(url)
    made = anonymous("Redirect", (AGW.redirectScheme, parts.scheme or None), (AGW.redirectHost, parts.hostname))
    try:
        made.say(AGW.redirectPort, parts.port)
    except ValueError:
        pass  # no port that there is; agw validate says what is wrong with the rest
    return made.say(AGW.replaceFullPath, parts.path or "/").say(AGW.redirectStatus, status)
