"""What a change would touch: routes, hosts, services, manifests, and the share of the traffic (``agw impact``).

A route is touched when it comes, goes, asks for something else or does something else with what it takes, be it by a
service of its own; by a setting of the gateway all of them are.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from api_gateway_service_mesh.errors import AgwError, ClientError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import lexical
from api_gateway_service_mesh.manifests import TARGETS, render
from api_gateway_service_mesh.model import Mesh, Route
from api_gateway_service_mesh.routing.meaning import same

from .build import Build, inspect

__all__ = ["Impact", "impact", "impact_json", "impact_of", "render_impact", "thing_named"]


@dataclass(frozen=True, slots=True)
class Impact:
    """IRIs, sorted. ``hosts`` has ``*`` where a touched route takes any; ``manifests`` are paths as ``agw manifests``
    writes them, each below its target's name (None: they were not looked at); ``share`` is the part of all requests so
    far that touched routes took (None: not known)."""

    routes: tuple[str, ...]
    services: tuple[str, ...]
    hosts: tuple[str, ...]
    manifests: tuple[str, ...] | None
    settings: bool
    share: float | None = None


def impact(old: Mesh, new: Mesh, requests: Mapping[str, int] | None = None, *, manifests: bool = True) -> Impact:
    """What becomes different from one mesh to another. `requests`: how many each route took; `manifests`: whether they
    are looked at, which takes by far the longest."""
    before, after = _routes(old), _routes(new)
    services = _touched({item.iri: item for item in old.upstreams}, {item.iri: item for item in new.upstreams})
    settings = not same(_settings(old), _settings(new))
    routes = set(before) | set(after) if settings else set(_touched(before, after))
    routes |= {iri for routes_of in (before, after) for iri, route in routes_of.items() if services & _targets(route)}
    hosts = {
        host
        for served in (before, after)
        for iri in routes & served.keys()
        for host in served[iri].match.hosts or ("*",)
    }
    share = None
    if requests is not None and (total := sum(requests.values())):
        share = sum(count for iri, count in requests.items() if iri in routes) / total
    return Impact(
        tuple(sorted(routes)),
        tuple(sorted(services)),
        tuple(sorted(hosts)),
        _manifests(old, new) if manifests else None,
        settings,
        share,
    )


def impact_of(build: Build, iri: str, requests: Mapping[str, int] | None = None, *, manifests: bool = True) -> Impact:
    """What hangs on a thing: what would be different if nothing were said about it. Whether such a configuration were
    accepted plays no part."""
    source = build.source
    kept = [(row, triple) for row, triple in zip(source.rows, source.triples, strict=True) if lexical(row[0]) != iri]
    rows, triples = tuple(row for row, _ in kept), tuple(triple for _, triple in kept)
    without = inspect(SourceGraph(rows, triples, source.documents, source.prefixes), previous=build)
    return impact(build.mesh, without.mesh, requests, manifests=manifests)


def thing_named(build: Build, text: str) -> str:
    """The IRI of a thing of the configuration: written in full, in angle brackets, or with a prefix that it declares.

    Raises:
        ClientError: nothing is said of such a thing.
    """
    iri = text.removeprefix("<").removesuffix(">")
    prefix, colon, rest = iri.partition(":")
    if colon and prefix in build.source.prefixes and not rest.startswith("//"):
        iri = build.source.prefixes[prefix] + rest
    known = {lexical(row[0]) for row in build.source.rows}
    if iri in known:
        return iri
    near = difflib.get_close_matches(iri, known, 1, 0.8)
    error = ClientError(f"nothing is said of <{iri[:200]}>", remedy=f"did you mean <{near[0]}>?" if near else None)
    error.status = 404
    error.problem = "no-such-thing"
    raise error


def _routes(mesh: Mesh) -> dict[str, Route]:
    return {route.iri: route for route in mesh.routes}


def _touched(before: Mapping[str, object], after: Mapping[str, object]) -> frozenset[str]:
    return frozenset(
        iri for iri in before.keys() | after.keys() if iri not in before or iri not in after
        or not same(before[iri], after[iri])
    )  # fmt: skip


def _targets(route: Route) -> set[str]:
    return {iri for iri in (route.upstream, *(split.upstream for split in route.splits)) if iri}


def _settings(mesh: Mesh) -> Mesh:
    return replace(mesh, routes=(), upstreams=(), exemptions=())


def _manifests(old: Mesh, new: Mesh) -> tuple[str, ...]:
    """The manifests of every target there is; those that cannot be rendered of a mesh are not there."""
    touched: set[str] = set()
    for target in TARGETS:
        one, other = _rendered(old, target), _rendered(new, target)
        touched |= {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
    return tuple(sorted(touched))


def _rendered(mesh: Mesh, target: str) -> dict[str, str]:
    try:
        return {str(item.path): item.text for item in render(mesh, target, allow_loss=True).manifests}
    except AgwError:
        return {}


def render_impact(found: Impact) -> str:
    """For people."""
    if not any(getattr(found, field.name) for field in fields(found) if field.name != "share"):
        return "it touches nothing that is served\n"
    lines = ["it touches every route: a setting of the gateway" if found.settings else "it touches"]
    for name in ("routes", "services", "hosts", "manifests"):
        listed = getattr(found, name)
        if listed is None:
            continue
        lines.append(f"  {len(listed)} {name[:-1] if len(listed) == 1 else name}")
        lines += [f"    {item}" for item in listed]
    if found.share is not None:
        lines.append(f"  {found.share:.1%} of the requests so far")
    return "\n".join(lines) + "\n"


def impact_json(found: Impact) -> dict[str, object]:
    """As JSON values."""
    return {field.name: getattr(found, field.name) for field in fields(found)}
