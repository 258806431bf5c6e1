"""Routes that answer for a host whose virtual service demands authentication, and demand none: holes in a guarantee.

A virtual service (``agw:VirtualService``) hands what it demands to the routes that state its host names. A route
without host names, or with a wider wildcard, belongs to none, and answers all the same for what the routes of the host
leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.vocabulary import AGW

from .entry import RouteEntry
from .host import HostKey, host_key
from .witness import Witness, witnesses

if TYPE_CHECKING:
    from .table import RoutingTable

__all__ = ["exposure_findings"]


def exposure_findings(
    table: RoutingTable, guarded: Mapping[str, str], exempted: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """A violation for each route of `table` that lets strangers through to a backend behind a guarded host name.

    Sound, not complete: each has a witness request that the route takes. Redirects and direct responses show nobody a
    backend, and are passed over.

    Args:
        guarded: host names (also wildcards) for which somebody demands authentication, and the IRI of who does.
        exempted: IRIs of routes that may do without.
    """
    if not guarded:
        return ()
    keys = {host_key(name): (name, by) for name, by in sorted(guarded.items())}
    found: list[Finding] = []
    for entry in table.entries:
        route = entry.route
        if route.authentication is None and route.iri not in exempted and (route.upstream or route.splits):
            found += _holes(table, entry, keys)
    return tuple(found)


def _holes(table: RoutingTable, entry: RouteEntry, keys: Mapping[HostKey, tuple[str, str]]) -> Iterator[Finding]:
    """The first guarded host that `entry` answers for."""
    for key, (name, by) in keys.items():
        witness = _witness(table, entry, key)
        if witness is not None:
            route = entry.route
            yield Finding(
                code="guarantee-bypassed",
                message=f"{route.name} answers for {name}, where authentication is demanded, and demands none: "
                f"{witness} reaches its backend without",
                subject=route.iri,
                predicate=AGW.hostname if route.match.hosts else AGW.routePath,
                value=route.match.hosts[0] if route.match.hosts else route.match.path.text,
                remedy=f"give {route.name} the agw:hostname it is for, or agw:hasAuthentication; or let it stand for a "
                f"time with an agw:Exemption (agw:exempts {route.name} ; agw:exemptsFrom agw:hasAuthentication)",
                details=(("demanded by", by), ("witness", str(witness))),
            )
            return


def _witness(table: RoutingTable, entry: RouteEntry, host: HostKey) -> Witness | None:
    for method in entry.methods or ("GET",):
        for witness in witnesses(entry, host, method):
            if table.find(witness.host, witness.method, witness.path, witness.query, dict(witness.headers)) is entry:
                return witness
    return None
