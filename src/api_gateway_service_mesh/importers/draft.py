"""What an importer gathers, until it is written: services, listeners and routes by the names that others gave them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.model import PathMatch, Registry, ValueKind
from api_gateway_service_mesh.vocabulary import AGW

from .part import Findings
from .path import stated
from .turtle import Object, Ref, Stated, Subject, anonymous, is_iri

__all__ = ["Draft", "Joined", "RouteDraft", "Test"]

_MOST_ORDERED = 4_000  # routes that are looked at for ties, pair by pair of one path


@dataclass(frozen=True, slots=True)
class Test:
    """A predicate on a header field or query parameter."""

    name: str
    kind: ValueKind = ValueKind.EXACT
    value: str = ""

    def subject(self, *, header: bool) -> Subject:
        """Its Turtle."""
        made = anonymous("HeaderMatch" if header else "QueryParameterMatch")
        made.say(AGW.headerName if header else AGW.parameterName, self.name)
        if self.kind is not ValueKind.PRESENT:
            made.say(AGW.headerValue if header else AGW.parameterValue, self.value)
        if self.kind is not ValueKind.EXACT:
            made.say(AGW.valueMatchType, self.kind.value)
        return made


@dataclass(slots=True)
class RouteDraft:
    """A route in the making. Empty `hosts` or `methods`: any. `iri`: the one that it had when agw wrote it.
    `rewritten`: the expression whose groups a rewrite speaks of."""

    wanted: str
    place: Location
    path: PathMatch
    comment: str = ""
    iri: str | None = None
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[Test, ...] = ()
    query: tuple[Test, ...] = ()
    stated: list[Stated] = field(default_factory=list)
    priority: int = 0
    rewritten: str = ""
    slashed: bool = False
    """Its prefix ended in a slash, so that it does not take the path without."""
    call: tuple[str, str | None] | None = None
    """The service of gRPC, and its method, in the place of a path and a method."""

    def say(self, predicate: str, *values: Object | None) -> None:
        """State a policy."""
        self.stated += [(predicate, value) for value in values if value is not None]

    def same(self, other: RouteDraft) -> bool:
        """Whether `other` is this route but for its hosts."""
        mine = (self.path, self.call, self.methods, self.headers, self.query, self.stated)
        return mine == (other.path, other.call, other.methods, other.headers, other.query, other.stated)

    def ties(self, other: RouteDraft) -> bool:
        """Whether some request may hold for both, of one path and so many predicates, so that something must decide."""
        if self.hosts and other.hosts and not set(self.hosts) & set(other.hosts):
            return False
        if bool(self.hosts) != bool(other.hosts) or bool(self.methods) != bool(other.methods):
            return False
        if self.methods and not set(self.methods) & set(other.methods):
            return False
        for mine, others in ((self.headers, other.headers), (self.query, other.query)):
            asked = {test.name: test.value for test in mine if test.kind is ValueKind.EXACT}
            for test in others:
                if test.kind is ValueKind.EXACT and asked.get(test.name, test.value) != test.value:
                    return False
        return True


@dataclass(frozen=True, slots=True)
class Joined:
    """The configuration that what is imported becomes a part of: the IRI of its gateway, whose listeners are its own,
    and the registry in which instances of Services are looked up."""

    gateway: str
    registry: Registry


class Draft:
    """Everything of one import. Routes are in the order in which the first that holds is meant to win."""

    def __init__(self, base: str, findings: Findings, joined: Joined | None = None) -> None:
        self.base = base
        self.findings = findings
        self.joined = joined
        self.gateway: Subject | None = None
        self.listeners: dict[int, Subject] = {}
        self.services: dict[object, Subject] = {}
        self.others: list[Subject] = []
        self.routes: list[RouteDraft] = []
        self._taken: set[str] = set()

    def iri(self, wanted: str, *more: str) -> str:
        """An IRI that nothing has yet: of `wanted`, else with `more` behind it, else with a mark of all of it."""
        words = [_local(wanted)]
        for further in ("", *more):
            words += [_local(further)] if further else []
            iri = self.base + "-".join(words)
            if iri not in self._taken:
                self._taken.add(iri)
                return iri
        number = 2
        while f"{iri}-{number}" in self._taken:
            number += 1
        iri = f"{iri}-{number}"
        self._taken.add(iri)
        return iri

    def new_gateway(self, *wanted: str, comment: str = "", place: Location | None = None) -> Subject:
        """The gateway; that of the configuration that is joined, where there is one."""
        iri = self.joined.gateway if self.joined is not None else self.iri(*wanted)
        return Subject("ApiGateway", iri, comment, place)

    def service(self, key: object, wanted: str, *more: str, place: Location, comment: str = "") -> tuple[Subject, bool]:
        """The backend service that is known by `key`, and whether it is new."""
        found = self.services.get(key)
        if found is not None:
            return found, False
        made = Subject("BackendService", self.iri(wanted, *more), comment, place)
        self.services[key] = made
        return made, True

    def shares(self, route: RouteDraft, targets: Sequence[tuple[Subject, int]]) -> None:
        """Where a route goes: one service, or splits of per cents made of weights."""
        joined: dict[str, int] = {}
        for service, weight in targets:
            joined[str(service.iri)] = joined.get(str(service.iri), 0) + weight
        total = sum(joined.values())
        if len(targets) == 1 and total:
            route.say(AGW.hasBackendService, Ref(str(targets[0][0].iri)))
            return
        if not total:
            if targets:
                message = f"{route.wanted}: no target has a weight, so its requests are answered 503"
                self.findings.differs(route.place, message, note=True)
            return
        exact = {iri: weight * 100 / total for iri, weight in joined.items()}
        whole = {iri: int(share) for iri, share in exact.items()}
        for iri in sorted(whole, key=lambda iri: whole[iri] - exact[iri])[: 100 - sum(whole.values())]:
            whole[iri] += 1
        if any(whole[iri] != exact[iri] for iri in whole):
            message = f"{route.wanted}: shares are whole per cents here; the weights {list(joined.values())} became "
            self.findings.differs(route.place, f"{message}{list(whole.values())}", "look whether that is near enough")
        for iri, share in whole.items():
            split = anonymous("TrafficSplit", (AGW.weight, share), (AGW.targetService, Ref(iri)))
            route.say(AGW.hasTrafficSplit, split)

    def subjects(self) -> list[Subject]:
        """All that is to be written, the gateway first."""
        gateway = self.gateway or self.new_gateway("gateway")
        for _, listener in sorted(self.listeners.items()):
            gateway.say(AGW.hasListener, listener)
        kept = self._merged()
        _order(kept)
        routes = [self._route(route) for route in kept]
        gateway.say(AGW.hasRoute, *(Ref(str(route.iri)) for route in routes))
        return [gateway, *routes, *self.services.values(), *self.others]

    def _merged(self) -> list[RouteDraft]:
        """One route for each that agw wrote under several hosts: they carry its IRI. Where one of them stands there in
        several forms they stay apart, as hosts that were joined would no longer rank one form before another."""
        known: dict[str, RouteDraft] = {}
        apart = any(
            route.iri is not None and not known.setdefault(route.iri, route).same(route) for route in self.routes
        )
        kept: list[RouteDraft] = []
        for route in self.routes:
            first = known.get(route.iri or "", route)
            if first is route:
                kept.append(route)
            elif apart:
                route.iri = None
                kept.append(route)
            else:
                both = dict.fromkeys((*first.hosts, *route.hosts))
                first.hosts = tuple(both) if first.hosts and route.hosts else ()
        return kept

    def _route(self, route: RouteDraft) -> Subject:
        if route.iri and is_iri(route.iri) and route.iri not in self._taken:
            self._taken.add(route.iri)
            iri = route.iri
        else:
            iri = self.iri(route.wanted)
        made = Subject("Route", iri, route.comment, route.place)
        if route.call is not None:
            made.say(AGW.grpcService, route.call[0]).say(AGW.grpcMethod, route.call[1])
        else:
            text, kind = stated(route.path)
            made.say(AGW.routePath, text).say(AGW.pathMatchType, kind)
        made.say(AGW.httpMethod, *route.methods).say(AGW.hostname, *route.hosts)
        made.say(AGW.matchesHeader, *(test.subject(header=True) for test in route.headers))
        made.say(AGW.matchesQueryParameter, *(test.subject(header=False) for test in route.query))
        made.say(AGW.priority, route.priority or None)
        made.stated += route.stated
        return made


def _order(routes: Iterable[RouteDraft]) -> None:
    """Priorities where nothing else decides, so that of routes that tie the first one wins, as it did."""
    groups: dict[tuple[object, ...], list[RouteDraft]] = {}
    for route in routes:
        groups.setdefault((route.path, route.call, len(route.headers), len(route.query)), []).append(route)
    for group in groups.values():
        if len(group) > _MOST_ORDERED or any(
            one.ties(other) for at, one in enumerate(group) for other in group[at + 1 :]
        ):
            for at, route in enumerate(group):
                route.priority = len(group) - 1 - at


def _local(text: str) -> str:
    """The local part of an IRI: letters, digits, dashes; a name that has none of them gets a mark."""
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
    if not slug:
        return f"n{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return slug if slug[0].isalpha() or slug[0] == "_" else f"n{slug}"
