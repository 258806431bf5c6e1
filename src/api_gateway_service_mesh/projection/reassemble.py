"""The model of a changed configuration from the model before it: only what a changed row reaches is put together anew.

Rows are joined by values alone: a row of `route` names its timeout, a row of `upstream` its pool. So a changed row
leads against these references (`_REFERENCES`) to the routes and services that it has a part in. They are assembled from
the rows that they reach, by the same code as everything; the others stay the objects they were. What hangs on more than
a row's references (the gateway, listeners, certificates, who authenticates whom), whatever refuses the configuration,
and a warning that went, are told by assembling everything.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import Route, Upstream

from .assemble import Assembly, assemble
from .rows import ProjectedRows, row_types

if TYPE_CHECKING:
    from pathlib import Path

    from api_gateway_service_mesh.graph import InferredGraph

__all__ = ["LOCAL", "Links", "keyed", "reassemble", "spliced", "touched_rows"]

_REFERENCES: Mapping[str, tuple[str, ...]] = {
    "route": ("upstream", "breaker", "retry", "hedging", "timeout", "balancer", "concurrency", "tracing"),
    "route_hostname": (),
    "route_method": (),
    "header_match": (),
    "query_match": (),
    "rate_limit": (),
    "rate_limit_key": (),
    "route_rate_limit": ("rate_limit",),
    "concurrency": (),
    "breaker": (),
    "breaker_status": (),
    "retry": (),
    "retry_condition": (),
    "retry_status": (),
    "hedge": (),
    "timeout": (),
    "balancer": (),
    "split": ("split", "upstream"),
    "split_choice": (),
    "canary": (),
    "canary_step": (),
    "request_condition": (),
    "maintenance": ("maintenance",),
    "fault": ("fault",),
    "cors": ("cors",),
    "cors_value": (),
    "websocket": ("policy",),
    "security_headers": ("headers",),
    "security_headers_field": (),
    "compression": ("compression",),
    "client_credentials": ("credentials",),
    "client_credentials_scope": (),
    "compression_value": (),
    "cache": ("cache",),
    "cache_value": (),
    "cache_purge": ("purge",),
    "access_log": (),
    "transform": ("transformation",),
    "transform_value": (),
    "validation": ("validation",),
    "validation_operation": (),
    "redirect": ("redirect",),
    "direct": ("direct",),
    "rewrite": ("rewrite",),
    "mirror": ("mirror", "upstream"),
    "external_authorization": ("external", "service"),
    "external_authorization_field": (),
    "upstream": ("pool", "outlier", "discovery"),
    "discovery": ("registry",),
    "discovery_tag": (),
    "discovery_registry": (),
    "connection_pool": (),
    "endpoint": ("endpoint",),
    "instance_label": (),
    "subset": (),
    "health": ("health",),
    "health_value": (),
    "outlier": (),
}
LOCAL = frozenset(_REFERENCES)
"""The queries whose rows matter only to what names their first column. All others matter to everything."""

_MANY = 4  # where more than one route in four is reached, everything is assembled

Row = TypeVar("Row")
Touched = Mapping[str, frozenset[str]]


def keyed(stem: str) -> Callable[[Any], str]:
    """What reads the first column of a row of this query."""
    return _KEYS[stem]


_KEYS: dict[str, Callable[[Any], str]] = {
    stem: attrgetter(next(iter(kind.__dataclass_fields__))) for stem, kind in row_types().items()
}


def spliced(
    items: tuple[Row, ...], key: Callable[[Row], str], again: Iterable[str], fresh: Iterable[Row]
) -> tuple[Row, ...]:
    """`items`, which are sorted by `key`, with those of the keys in `again` replaced by `fresh` (sorted alike)."""
    come: dict[str, list[Row]] = {name: [] for name in again}
    for item in fresh:
        come.setdefault(key(item), []).append(item)
    parts: list[Sequence[Row]] = []
    at = 0
    for name in sorted(come):
        start, end = bisect_left(items, name, at, key=key), bisect_right(items, name, at, key=key)
        parts += (items[at:start], come[name])
        at = end
    parts.append(items[at:])
    return tuple(chain.from_iterable(parts)) if len(parts) > 1 else items


def touched_rows(old: ProjectedRows, new: ProjectedRows, again: Mapping[str, Iterable[str]]) -> Touched:
    """The first columns of the rows that are not what they were, by query. `again`: those that were asked about; a
    query that is not in it was answered as before."""
    found: dict[str, frozenset[str]] = {}
    for stem, names in again.items():
        before, after = getattr(old, stem), getattr(new, stem)
        if before is not after:
            key = _KEYS[stem]
            different = frozenset(name for name in names if _held(before, key, name) != _held(after, key, name))
            if different:
                found[stem] = different
    return found


def _held(rows: tuple[Row, ...], key: Callable[[Row], str], name: str) -> tuple[Row, ...]:
    start = bisect_left(rows, name, key=key)
    return rows[start : bisect_right(rows, name, start, key=key)] if start < len(rows) else ()


@dataclass(frozen=True, slots=True)
class Links:
    """Who names whom, by the first columns of rows. ``named_by`` holds for everything that is named the namers."""

    named_by: Mapping[str, Mapping[str, None]]

    @classmethod
    def of(cls, rows: ProjectedRows) -> Links:
        """The links of all rows."""
        found: dict[str, dict[str, None]] = {}
        for stem, columns in _REFERENCES.items():
            key = _KEYS[stem]
            for column in columns:
                read = attrgetter(column)
                for row in getattr(rows, stem):
                    value = read(row)
                    if value is not None:
                        held = found.get(value)
                        if held is None:
                            found[value] = {key(row): None}
                        else:
                            held[key(row)] = None
        return cls(found)

    def moved(self, old: ProjectedRows, new: ProjectedRows, keys: Iterable[str]) -> Links:
        """The links when the rows of `keys` are not what they were."""
        made: dict[str, Mapping[str, None]] | None = None
        for key in keys:
            before, after = set(_named(old, key)), set(_named(new, key))
            if before == after:
                continue
            if made is None:
                made = dict(self.named_by)
            for name in before - after:
                left = {namer: None for namer in made[name] if namer != key}
                if left:
                    made[name] = left
                else:
                    del made[name]
            for name in after - before:
                made[name] = {**made.get(name, {}), key: None}
        return self if made is None else Links(made)

    def namers(self, keys: Iterable[str]) -> dict[str, None]:
        """`keys`, and everything that names them, or names what does."""
        found = dict.fromkeys(keys)
        todo = list(found)
        while todo:
            for namer in self.named_by.get(todo.pop(), ()):
                if namer not in found:
                    found[namer] = None
                    todo.append(namer)
        return found


def _named(rows: ProjectedRows, key: str) -> Iterator[str]:
    """What the rows with this first column name."""
    for stem, columns in _REFERENCES.items():
        if columns:
            for row in _held(getattr(rows, stem), _KEYS[stem], key):
                for column in columns:
                    value = getattr(row, column)
                    if value is not None:
                        yield value


def _reached(rows: ProjectedRows, keys: Iterable[str]) -> dict[str, None]:
    """`keys`, and everything that they name, and that names in turn."""
    found = dict.fromkeys(keys)
    todo = list(found)
    while todo:
        for name in _named(rows, todo.pop()):
            if name not in found:
                found[name] = None
                todo.append(name)
    return found


def reassemble(
    rows: ProjectedRows,
    graph: InferredGraph,
    gateway: str | None,
    allowed_folders: Sequence[Path],
    previous: Assembly,
    previous_rows: ProjectedRows,
    previous_graph: InferredGraph,
    touched: Touched,
) -> Assembly:
    """What `assemble` gives, from what it gave before (without refusing anything). `touched`: see `touched_rows`."""
    partial = _partial(rows, graph, gateway, allowed_folders, previous, previous_rows, previous_graph, touched)
    if partial is not None:
        return partial
    whole = assemble(rows, graph, gateway, allowed_folders)
    mesh = replace(
        whole.mesh,
        routes=_same(previous.mesh.routes, whole.mesh.routes),
        upstreams=_same(previous.mesh.upstreams, whole.mesh.upstreams),
    )
    return replace(whole, mesh=mesh)


_iri: Callable[[Any], str] = attrgetter("iri")


def _partial(
    rows: ProjectedRows,
    graph: InferredGraph,
    gateway: str | None,
    allowed_folders: Sequence[Path],
    previous: Assembly,
    previous_rows: ProjectedRows,
    previous_graph: InferredGraph,
    touched: Touched,
) -> Assembly | None:
    mesh = previous.mesh
    if touched.keys() - LOCAL - {"gateway_route"}:
        return None
    if rows.version_promise or previous_rows.version_promise:
        return None  # whether a promise is kept is told by all routes of two versions
    if previous.findings and any(document.has_positions for document in graph.source.documents):
        return None  # what was said before may stand in another line now
    old_links = previous.links or Links.of(previous_rows)
    changed = {name: None for stem in touched if stem in LOCAL for name in touched[stem]}
    links = old_links.moved(previous_rows, rows, changed)
    again = {**old_links.namers(changed), **links.namers(changed)}
    if "gateway_route" in touched:
        one, two = ({row.route for row in each.gateway_route} for each in (previous_rows, rows))
        pairs = set(previous_rows.gateway_route) ^ set(rows.gateway_route)
        again.update({row.route: None for row in pairs} | dict.fromkeys(one ^ two))
    if len(again) * _MANY > len(mesh.routes) + len(mesh.upstreams):
        return None
    reached = {**_reached(previous_rows, again), **_reached(rows, again)}
    made = assemble(_only(rows, reached, again), graph, gateway, allowed_folders)
    if any(finding.severity is Severity.VIOLATION for finding in made.findings):
        return None
    if previous.findings:
        before = assemble(_only(previous_rows, reached, again), previous_graph, gateway, allowed_folders)
        if not set(before.findings) <= set(made.findings):
            return None
    if made.mesh.iri != mesh.iri:
        return None
    routes = spliced(mesh.routes, _iri, again, _same(mesh.routes, _among(made.mesh.routes, again)))
    fresh = _same(mesh.upstreams, made.mesh.upstreams)
    shared = len({row.gateway for row in rows.gateway}) > 1
    # Of services that no changed row reaches, as many as before are there; where gateways share a graph, those count
    # that a route of this one uses.
    upstreams = spliced(mesh.upstreams, _iri, (*again, *(one.iri for one in fresh)), fresh)
    if shared:
        used = {name for route in routes for name in route.reached}
        upstreams = tuple(one for one in upstreams if one.iri in used or one.sidecar is not None)
    merged = replace(made.mesh, routes=routes, upstreams=upstreams)
    return Assembly(merged, tuple(dict.fromkeys((*previous.findings, *made.findings))), links)


def _among(routes: tuple[Route, ...], again: Mapping[str, None]) -> tuple[Route, ...]:
    return tuple(route for route in routes if route.iri in again)


def _only(rows: ProjectedRows, reached: Mapping[str, None], again: Mapping[str, None]) -> ProjectedRows:
    """The rows of what is reached, routes only those in `again`, and all rows that are not local."""
    wanted = sorted(reached)
    parts: dict[str, Any] = {}
    for stem in LOCAL:
        held, key = getattr(rows, stem), _KEYS[stem]
        if held:
            parts[stem] = tuple(row for name in wanted for row in _held(held, key, name))
    parts["route"] = tuple(row for row in parts.get("route", ()) if row.route in again)
    parts["gateway_route"] = tuple(row for row in rows.gateway_route if row.route in again)
    return replace(rows, **parts)


Thing = TypeVar("Thing", Route, Upstream)


def _same(old: tuple[Thing, ...], new: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """`new`, with the objects of `old` for what is equal to them."""
    if len(new) * _MANY < len(old):
        return tuple(next((one for one in _held(old, _iri, thing.iri) if one == thing), thing) for thing in new)
    known = {thing.iri: thing for thing in old}
    return tuple(known[thing.iri] if known.get(thing.iri) == thing else thing for thing in new)
