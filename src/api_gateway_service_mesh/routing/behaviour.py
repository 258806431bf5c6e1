"""Requests that two tables decide differently: one class for each pair of decisions, each with a witness request.

A class is only told when its witness, put to both tables, shows it. Without regular expressions every pair of decisions
that any request can show is found; with them those that samples reach (`routing.atoms`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from api_gateway_service_mesh.model import Route, Upstream

from .atoms import requests_between
from .entry import RouteEntry
from .meaning import same
from .table import RoutingTable
from .witness import Witness

__all__ = ["Decision", "DecisionClass", "behaviour", "decided"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request: a route, or a status with the methods that a 405 allows."""

    route: str | None
    status: int | None = None
    allow: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.route is not None:
            return self.route
        return f"{self.status}" + (f" (Allow: {', '.join(self.allow)})" if self.allow else "")


@dataclass(frozen=True, slots=True)
class DecisionClass:
    """Requests of which one table decides ``before`` and the other ``after``. ``how`` is ``gained``, ``lost``, ``other
    route``, ``other policy`` (the same route does something else) or ``other refusal``."""

    how: str
    before: Decision
    after: Decision
    witness: Witness

    def __str__(self) -> str:
        if self.how == "other policy":
            return f"{self.witness} → {self.after} as before, with other policies or targets"
        return f"{self.witness} → {self.after}, before {self.before}"


def decided(table: RoutingTable, request: Witness) -> Decision:
    """What `table` does with a request."""
    fields = {name.lower(): value for name, value in request.headers}
    entry = table.find(request.host, request.method, request.path, request.query, fields)
    if entry is not None:
        return Decision(entry.route.iri)
    allow = table.allowed_methods(request.host, request.path)
    return Decision(None, 405, allow) if allow and request.method not in allow else Decision(None, 404)


def behaviour(old: RoutingTable, new: RoutingTable) -> tuple[DecisionClass, ...]:
    """What requests see differently, in the order of the tables.

    Only routes that are not the same in both can make a difference, so it looks at those, and at what else holds where
    they do.
    """
    before, after = _by_iri(old), _by_iri(new)
    moved = [
        entry
        for mine, other in ((before, after), (after, before))
        for iri, entry in mine.items()
        if iri not in other or entry.route.match != other[iri].route.match
    ]
    acting = _other_effects(old, new)
    asked = [*moved, *(after[iri] for iri in acting)]
    found: dict[tuple[Decision, Decision], DecisionClass] = {}
    if asked:
        for request in requests_between(asked, (*old.entries, *new.entries)):
            one, other = decided(old, request), decided(new, request)
            if (one, other) in found or (one == other and one.route not in acting):
                continue
            found[one, other] = DecisionClass(_how(one, other), one, other, request)
    order = {entry.route.iri: place for table in (old, new) for place, entry in enumerate(table.entries)}
    return tuple(sorted(found.values(), key=lambda item: (
        order.get(item.after.route or "", len(order)), order.get(item.before.route or "", len(order)), str(item)
    )))  # fmt: skip


def _how(one: Decision, other: Decision) -> str:
    if one.route is None and other.route is None:
        return "other refusal"
    if one.route is None:
        return "gained"
    if other.route is None:
        return "lost"
    return "other policy" if one == other else "other route"


def _by_iri(table: RoutingTable) -> dict[str, RouteEntry]:
    return {entry.route.iri: entry for entry in table.entries}


def _other_effects(old: RoutingTable, new: RoutingTable) -> frozenset[str]:
    """Routes of both tables that do something else with the requests they take."""
    services = [{upstream.iri: upstream for upstream in table.mesh.upstreams} for table in (old, new)]
    after = {route.iri: route for route in new.mesh.routes}
    return frozenset(
        route.iri
        for route in old.mesh.routes
        if route.iri in after and not _acts_the_same(route, after[route.iri], services[0], services[1])
    )


def _acts_the_same(one: Route, other: Route, old: dict[str, Upstream], new: dict[str, Upstream]) -> bool:
    if not same(replace(one, match=other.match, name=other.name), other):
        return False
    return all(
        same(old.get(mine), new.get(theirs)) for mine, theirs in zip(_targets(one), _targets(other), strict=True)
    )


def _targets(route: Route) -> list[str]:
    return [split.upstream for split in route.splits] or ([route.upstream] if route.upstream else [])
