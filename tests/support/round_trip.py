"""Whether two models do the same with requests: each route's own witnesses are put to both tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import Cors, Endpoint, Mesh, Route
from api_gateway_service_mesh.routing import RoutingTable, compile_table
from api_gateway_service_mesh.routing.cors import CorsRules
from api_gateway_service_mesh.routing.witness import Witness, witnesses

__all__ = ["differences", "outcome"]


def outcome(mesh: Mesh, route: Route | None, fields: Collection[str]) -> dict[str, Any]:
    """What becomes of a request that `route` takes, in words that no IRI is part of."""
    if route is None:
        return {"route": None}
    ends = {u.iri: sorted((_place(e), e.tls) for e in u.endpoints if e.weight) for u in mesh.upstreams}
    shares: dict[str, int] = {}
    for iri, weight in [(s.upstream, s.weight) for s in route.splits] or [(route.upstream or "", 100)]:
        shares[str(ends.get(iri, []))] = shares.get(str(ends.get(iri, [])), 0) + weight
    if not any(ends.get(iri) for iri in (route.upstream, *(split.upstream for split in route.splits)) if iri):
        route = replace(route, retry=None)  # with nowhere to go it is answered 503, once
    change, to, limit, direct, retry = route.rewrite, route.redirect, route.timeout, route.direct, route.retry
    if direct is not None and (direct.status, direct.body) == (503, ""):
        direct = None  # as a route without a service answers
    told: dict[str, Any] = {
        "headers": (request_changes(route), answer_changes(route)),
        "targets": {end: weight for end, weight in shares.items() if weight},
        "rewrite": change and (change.host, change.full_path, change.prefix, change.pattern, change.substitution),
        "redirect": to and (to.status, to.scheme, to.host, to.port, to.full_path, to.prefix),
        "mirrors": sorted((str(ends.get(m.upstream)), m.percent) for m in route.mirrors),
        "timeout": limit and (limit.total_seconds, limit.per_attempt_seconds),
        "direct": direct and (direct.status, direct.body),
        "retry": retry and retry.attempts,
        "cors": route.cors and _pages(route.cors, route.match.methods),
        "faults": [(f.delay_seconds, f.delay_percent, f.abort_status, f.abort_percent) for f in route.faults],
    }
    return {name: told[name] for name in fields}


def _pages(cors: Cors, methods: tuple[str, ...]) -> tuple[object, ...]:
    said = (cors.origins, CorsRules(cors, methods).methods, cors.headers, cors.exposed)
    return (*(sorted(each) for each in said), cors.credentials, cors.max_age_seconds)


def _place(endpoint: Endpoint) -> str:
    """``name``, ``name.namespace`` and ``name.namespace.svc`` are one Service."""
    labels = endpoint.host.removesuffix(".cluster.local").split(".")
    service = len(labels) < 3 or (labels[2:] == ["svc"])
    return f"{labels[0]}:{endpoint.port}" if service else endpoint.authority


def differences(old: Mesh, new: Mesh, fields: Collection[str], but: Collection[str] = ()) -> list[str]:
    """Requests that the two treat otherwise. `but`: IRIs of routes of `old` that are known to."""
    tables = compile_table(old), compile_table(new)
    found: list[str] = []
    for witness in dict.fromkeys(each for table in tables for each in _witnesses(table)):
        taken = [_find(table, witness) for table in tables]
        if taken[0] is not None and taken[0].iri in but:
            continue
        told = [outcome(mesh, route, fields) for mesh, route in zip((old, new), taken, strict=True)]
        if told[0] != told[1]:
            found.append(f"{witness}: {told[0]} became {told[1]}")
    return found


def _witnesses(table: RoutingTable) -> Iterator[Witness]:
    for entry in table.entries:
        for host in entry.hosts:
            for method in entry.methods or ("GET", "POST"):
                yield from witnesses(entry, host, method)


def _find(table: RoutingTable, witness: Witness) -> Route | None:
    found = table.find(witness.host, witness.method, witness.path, witness.query, dict(witness.headers))
    return None if found is None else found.route
