"""Routes that answer for a host whose virtual service demands authentication, or says what callers may do, and do not
demand it: holes in a guarantee.

A virtual service (``agw:VirtualService``) hands what it demands to the routes that state its host names. A route
without host names, or with a wider wildcard, belongs to none, and answers all the same for what the routes of the host
leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.model import Route, RuleAction
from api_gateway_service_mesh.vocabulary import AGW

from .entry import RouteEntry
from .host import HostKey, host_key
from .witness import Witness, witnesses

if TYPE_CHECKING:
    from .table import RoutingTable

__all__ = ["NO_AUTHENTICATION", "NO_AUTHORIZATION", "Hole", "exposure_findings"]


@dataclass(frozen=True, slots=True)
class Hole:
    """A guarantee that a route may be without: what it is called, its property, and whether a route is without it."""

    what: str
    property: str
    open: Callable[[Route], bool]


NO_AUTHENTICATION = Hole("authentication", "hasAuthentication", lambda route: route.authentication is None)
NO_AUTHORIZATION = Hole(
    "authorization",
    "hasAuthorization",
    lambda route: (
        route.authorization is None
        or (not route.authorization.policies and route.authorization.default is RuleAction.ALLOW)
    ),
)


def exposure_findings(
    table: RoutingTable,
    guarded: Mapping[str, str],
    hole: Hole = NO_AUTHENTICATION,
    exempted: frozenset[str] = frozenset(),
) -> tuple[Finding, ...]:
    """A violation for each route of `table` that lets strangers through to a backend behind a guarded host name.

    Sound, not complete: each has a witness request that the route takes. Redirects and direct responses show nobody a
    backend, and are passed over.

    Args:
        guarded: host names (also wildcards) for which somebody demands it, and the IRI of who does.
        hole: what is demanded.
        exempted: IRIs of routes that may do without.
    """
    if not guarded:
        return ()
    keys = {host_key(name): (name, by) for name, by in sorted(guarded.items())}
    found: list[Finding] = []
    for entry in table.entries:
        route = entry.route
        if hole.open(route) and route.iri not in exempted and (route.upstream or route.splits):
            found += _holes(table, entry, keys, hole)
    return tuple(found)


def _holes(
    table: RoutingTable, entry: RouteEntry, keys: Mapping[HostKey, tuple[str, str]], hole: Hole
) -> Iterator[Finding]:
    """The first guarded host that `entry` answers for."""
    for key, (name, by) in keys.items():
        witness = _witness(table, entry, key)
        if witness is not None:
            route = entry.route
            yield Finding(
                code="guarantee-bypassed",
                message=f"{route.name} answers for {name}, where {hole.what} is demanded, and demands none: "
                f"{witness} reaches its backend without",
                subject=route.iri,
                predicate=AGW.hostname if route.match.hosts else AGW.routePath,
                value=route.match.hosts[0] if route.match.hosts else route.match.path.text,
                remedy=f"give {route.name} the agw:hostname it is for, or agw:{hole.property}; or let it stand for a "
                f"time with an agw:Exemption (agw:exempts {route.name} ; agw:exemptsFrom agw:{hole.property})",
                details=(("demanded by", by), ("witness", str(witness))),
            )
            return


def _witness(table: RoutingTable, entry: RouteEntry, host: HostKey) -> Witness | None:
    for method in entry.methods or ("GET",):
        for witness in witnesses(entry, host, method):
            if table.find(witness.host, witness.method, witness.path, witness.query, dict(witness.headers)) is entry:
                return witness
    return None
