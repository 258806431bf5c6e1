"""Routes: what they match, in the order in which Kong asks them, and where they lead.

The order is that of the router flavour ``traditional_compatible``, Kong's own since 3.0: more kinds of criteria first,
then hosts without a star, more header fields, expressions before prefixes, ``regex_priority``, longer prefixes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from api_gateway_service_mesh.importers.draft import Draft, RouteDraft, Test
from api_gateway_service_mesh.importers.first_match import keep_order
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.path import UnsayableError, expression, literal, prefix
from api_gateway_service_mesh.importers.turtle import Ref, Stated, anonymous
from api_gateway_service_mesh.model import PathKind, PathMatch, ValueKind
from api_gateway_service_mesh.vocabulary import AGW

from .entity import Entities
from .plugin import Policies
from .service import Service, Services

__all__ = ["Routes"]

_SECURE: Final = frozenset({"https", "grpcs"})
_SPOKEN: Final = frozenset({"http", "grpc", *_SECURE})
_UPGRADE: Final = 426
_REDIRECT: Final = 308
_CRITERIA: Final = ("snis", "sources", "destinations")
_HOST: Final = re.compile(r"(?:\*\.)?[^*:]+|\[[^\]]*\]")
_GROUP: Final = re.compile(r"\(\?<([A-Za-z_][A-Za-z0-9_]*)>")
_LETTER: Final = re.compile(r"[A-Za-z]")


@dataclass(slots=True)
class _Match:
    """What a route asks for beside its path."""

    hosts: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[Test, ...]

    def criteria(self, *, path: bool) -> int:
        """How many kinds of them there are."""
        return bool(self.hosts) + bool(self.methods) + bool(self.headers) + path


class Routes:
    """Takes them all, as their order is one for all."""

    def __init__(self, draft: Draft, there: Entities, services: Services) -> None:
        self._draft = draft
        self._there = there
        self._services = services
        self._policies = Policies(draft, there)
        self._made: list[tuple[tuple[int, ...], RouteDraft]] = []

    def take(self) -> None:
        """Take over all routes."""
        for part, service in self._there.routes:
            self._route(part, service)
        self._policies.close()
        self._services.all()
        ranked = [route for _, route in sorted(self._made, key=lambda each: each[0])]
        for route in ranked:
            self._note_path(route, ranked)
        self._draft.routes += keep_order(ranked, self._draft.findings, there="Kong")

    def _note_path(self, route: RouteDraft, routes: list[RouteDraft]) -> None:
        if route.path.kind is not PathKind.PREFIX or not route.path.text:
            return
        if route.slashed:
            at = PathMatch(PathKind.EXACT, route.path.text)
            if not any(
                other.path in (at, PathMatch(PathKind.PREFIX, at.text)) and not other.slashed for other in routes
            ):
                message = f"{route.wanted}: Kong's prefix {at.text}/ does not take {at.text}; agw's {at.text}/* does"
                remedy = f"give {at.text} a route of its own where that matters"
                self._draft.findings.differs(route.place, message, remedy)

    def _route(self, part: Part, service_name: str | None) -> None:
        part.ignore("name", "id", "tags", "service", "plugins", "created_at", "updated_at", "priority")
        part.ignore("request_buffering", "response_buffering")
        name = part.text("name") or part.text("id")
        wanted = name or f"{service_name or 'route'}-route"
        if "expression" in part:
            self._leave(
                part, f"route {wanted} is written in Kong's own language", "write it with paths, hosts, methods"
            )
            return
        asked = self._asked(part, wanted)
        protocols = self._protocols(part, wanted)
        if asked is None or protocols is None:
            return
        service = self._services.named(service_name) if service_name else None
        if service_name and service is None:
            switched = service_name in self._there.services
            remedy = "see what is said of the service" if switched else "name one that there is"
            self._leave(part, f"route {wanted}: its service {service_name} is not here", remedy)
            return
        regex_priority, strip = part.integer("regex_priority") or 0, part.flag("strip_path") is not False
        host_kept, v1 = part.flag("preserve_host") is True, part.text("path_handling") == "v1"
        if v1:
            message = f"route {wanted}: path_handling v1 joins paths without a slash between; here one stands there"
            self._draft.findings.differs(part.at("path_handling"), message, note=True)
        stated = self._policies.of(name or str(id(part)), service_name)
        gate = self._gate(part, wanted, protocols)
        texts = part.texts("paths") or [""]
        for at, text in enumerate(texts):
            found = self._path(part, wanted, text)
            if found is None:
                continue
            path, matched = found
            route = RouteDraft(f"{wanted}-{at + 1}" if at else wanted, part.place, path, f"route {wanted}")
            route.hosts, route.methods, route.headers = asked.hosts, asked.methods, asked.headers
            route.slashed = text.endswith("/") and path.kind is PathKind.PREFIX
            route.stated = [*stated]
            self._leads(route, service, gate, host=None if host_kept or service is None else service.host)
            if service is not None:
                self._rewrite(route, service, matched, strip=strip, host=None if host_kept else service.host)
            self._made.append((self._rank(asked, text, regex_priority), route))

    def _leave(self, part: Part, message: str, remedy: str) -> None:
        part.drop()
        self._draft.findings.lost(part.place, f"{message}; it is left out", remedy)

    def _rank(self, asked: _Match, text: str, regex_priority: int) -> tuple[int, ...]:
        expressed = text.startswith("~")
        plain = bool(asked.hosts) and not any("*" in host for host in asked.hosts)
        return (
            -asked.criteria(path=bool(text)),
            -plain,
            -len(asked.headers),
            -expressed,
            -regex_priority if expressed else 0,
            0 if expressed else -len(text),
        )

    def _asked(self, part: Part, wanted: str) -> _Match | None:
        """What is asked beside the path; None: something that agw cannot ask."""
        unknown = [key for key in _CRITERIA if key in part]
        if unknown:
            self._leave(
                part, f"route {wanted}: agw does not match by {', '.join(unknown)}", "write one for what it takes"
            )
            return None
        part.ignore(*_CRITERIA)
        stated = part.texts("hosts")
        hosts = [host for host in stated if _HOST.fullmatch(host)]
        if len(hosts) < len(stated):
            other = ", ".join(host for host in stated if host not in hosts)
            message = (
                f"route {wanted}: agw names hosts without ports, with a star for the first labels only: not {other}"
            )
            if not hosts:
                self._leave(part, message, "name the hosts")
                return None
            self._draft.findings.lost(part.at("hosts"), message, "name the hosts")
        headers = self._headers(part, wanted)
        if headers is None:
            return None
        methods = tuple(dict.fromkeys(method.upper() for method in part.texts("methods")))
        if "GET" in methods and "HEAD" not in methods:
            self._services.once(part, "a route that takes GET takes HEAD in agw, too; Kong's only where it is stated")
        return _Match(tuple(dict.fromkeys(host.lower() for host in hosts)), methods, headers)

    def _headers(self, part: Part, wanted: str) -> tuple[Test, ...] | None:
        """Any of the values is enough, in any case."""
        fields = part.part("headers")
        made: list[Test] = []
        for name in fields.keys() if fields is not None else ():
            assert fields is not None
            values = fields.texts(name)
            try:
                made.append(_header(name.lower(), values))
            except UnsayableError as error:
                self._leave(part, f"route {wanted}: {error}", "correct it there")
                return None
        return tuple(made)

    def _protocols(self, part: Part, wanted: str) -> frozenset[str] | None:
        stated = frozenset(part.texts("protocols"))
        if not stated:
            return _SPOKEN
        spoken = stated & _SPOKEN
        if not spoken:
            self._leave(
                part, f"route {wanted}: agw speaks HTTP, not {', '.join(sorted(stated))}", "keep a proxy for it"
            )
            return None
        if stated == {"http"}:
            self._services.once(part, f"route {wanted} is for plain HTTP alone there; here it is for TLS too")
        return spoken

    def _gate(self, part: Part, wanted: str, protocols: frozenset[str]) -> list[Stated]:
        """Those who come by plain HTTP are sent to TLS, where a route is for TLS alone."""
        status = part.integer("https_redirect_status_code") or _UPGRADE
        if not protocols <= _SECURE:
            return []
        if status == _UPGRADE:
            message = (
                f"route {wanted} is for TLS alone: Kong refuses plain HTTP (426), agw sends it to https ({_REDIRECT})"
            )
            self._draft.findings.differs(part.place, message, note=True)
            status = _REDIRECT
        redirect = anonymous("Redirect", (AGW.redirectScheme, "https"), (AGW.redirectStatus, status))
        return [(AGW.hasRedirect, redirect)]

    def _path(self, part: Part, wanted: str, text: str) -> tuple[PathMatch, str] | None:
        """The path, and the expression for what of it strip_path takes away; empty: the prefix."""
        try:
            if not text.startswith("~"):
                return prefix(text or "/"), ""
            begins = _GROUP.sub(r"(?P<\1>", text[1:].removeprefix("^"))
            if _alternatives(begins):
                raise UnsayableError(f"{text!r} has alternatives that are not in parentheses")
            if begins.endswith("$") and not begins.endswith("\\$"):
                return expression(begins[:-1]), f"^{begins}"
            return expression(begins if begins.endswith(".*") else f"{begins}.*"), f"^{begins}"
        except UnsayableError as error:
            message = f"route {wanted}: a path is not taken over: {error}"
            self._draft.findings.lost(part.at("paths"), message, "correct it there")
            return None

    def _leads(self, route: RouteDraft, service: Service | None, gate: list[Stated], *, host: str | None) -> None:
        stated = {predicate for predicate, _ in route.stated}
        if service is not None:
            route.say(AGW.hasBackendService, Ref(str(service.subject.iri)))
            route.stated += service.stated
        elif not stated & {AGW.hasDirectResponse, AGW.hasRedirect}:
            message = f"{route.wanted} has no service, and answers 503 here"
            self._draft.findings.differs(route.place, message, "name a service", note=True)
        if AGW.hasRedirect not in stated:
            route.stated += gate

    def _rewrite(self, route: RouteDraft, service: Service, matched: str, *, strip: bool, host: str | None) -> None:
        """`Service.path`, and the request's path, without what was matched where it is stripped."""
        if any(predicate == AGW.hasRewrite for predicate, _ in route.stated):
            return  # a plugin has the last word
        made = anonymous("Rewrite", (AGW.rewriteHost, host))
        before, path = service.path.rstrip("/"), route.path
        if matched:
            found = matched.removesuffix("$")
            if strip:
                new = f"{before}/" if found.endswith("/") else before or "/"
                made.say(AGW.rewritePattern, found).say(AGW.rewriteSubstitution, _verbatim(new))
            elif before:
                made.say(AGW.rewritePattern, "^").say(AGW.rewriteSubstitution, _verbatim(before))
        elif path.kind is not PathKind.PREFIX:
            if strip or before:  # a prefix with braces or stars, which stands as an expression
                text = path.text.removesuffix("(/.*)?")
                made.say(AGW.rewritePattern, f"^{text}" if strip else "^")
                made.say(AGW.rewriteSubstitution, _verbatim(before))
        elif strip and (path.text or before):
            made.say(AGW.replacePrefixMatch, service.path if service.path.startswith("/") else "/")
        elif before:
            made.say(AGW.replacePrefixMatch, f"{before}{path.text}")
        if made.stated:
            route.say(AGW.hasRewrite, made)


def _verbatim(text: str) -> str:
    return text.replace("\\", "\\\\")


def _header(name: str, values: list[str]) -> Test:
    if len(values) == 1 and values[0].startswith("~*"):
        found = f"(?i).*(?:{values[0][2:]}).*"
    elif len(values) == 1 and not _LETTER.search(values[0]):
        return Test(name, ValueKind.EXACT, values[0])
    elif not values:
        raise UnsayableError(f"no value is stated for the field {name}")
    else:
        found = "|".join(map(literal, values))
        found = f"(?i){found}" if _LETTER.search("".join(values)) else found
    expression(found)
    return Test(name, ValueKind.REGULAR_EXPRESSION, found)


def _alternatives(text: str) -> bool:
    """Whether a | stands outside of all parentheses and classes."""
    depth, at, inside = 0, 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif inside:
            inside = char != "]"
        elif char == "[":
            inside = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            return True
        at += 1
    return False
