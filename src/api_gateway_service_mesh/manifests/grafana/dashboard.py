# ruff: noqa: E501 - queries are read in one piece
"""The dashboard as Grafana reads it (schema 39: Grafana 10 and later; newer ones read older schemas).

A collapsed row asks Prometheus nothing until it is opened, so that many routes cost nothing. Beyond `MOST_ROWS` routes
the busiest have a row that repeats itself by a variable, in the place of one each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api_gateway_service_mesh.manifests.prometheus.query import labelled
from api_gateway_service_mesh.model import Mesh, PathKind, Route, Upstream

__all__ = ["MOST_ROWS", "Json", "dashboard"]

Json = dict[str, Any]

MOST_ROWS = 300
_WIDTH, _HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_BUCKETS = "agw_request_duration_seconds_bucket"
_QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


def dashboard(mesh: Mesh, job: str, uid: str) -> Json:
    """All of it."""
    return {
        "uid": uid,
        "title": f"agw: {mesh.name}",
        "description": f"Generated from the graph of {mesh.iri}; make it anew when routes come or go.",
        "tags": ["agw"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source_variable(), *([_route_variable(job)] if _many(mesh) else [])]},
        "annotations": {"list": [_revisions(job)]},
        "panels": _laid_out(mesh, job),
    }


def _many(mesh: Mesh) -> bool:
    return len(mesh.routes) > MOST_ROWS


def _laid_out(mesh: Mesh, job: str) -> list[Json]:
    """Panels with numbers and places: the gateway's in sight, all others in rows that are opened by hand."""
    panels: list[Json] = []
    y = 0
    for title, inside in _rows(mesh, job):
        first = not panels
        row: Json = {
            "id": len(panels) + 1, "type": "row", "title": title, "collapsed": not first,
            "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y}, "panels": [],
        }  # fmt: skip
        if _many(mesh) and "$route" in title:
            row["repeat"] = "route"
        panels.append(row)
        y += 1
        wide = _WIDTH // len(inside)
        for at, panel in enumerate(inside):
            panel["gridPos"] = {"h": _HEIGHT, "w": wide, "x": at * wide, "y": y}
        if first:
            panels += inside
            y += _HEIGHT
        else:
            row["panels"] = inside
    for number, panel in enumerate(_each(panels), 1):
        panel["id"] = number
    return panels


def _each(panels: list[Json]) -> Iterator[Json]:
    for panel in panels:
        yield panel
        yield from _each(panel.get("panels", []))


def _rows(mesh: Mesh, job: str) -> Iterator[tuple[str, list[Json]]]:
    """Title and panels of each row."""
    of = labelled(job=job)
    yield "Gateway", [
        _graph("Requests", "reqps", (f"sum by (code_class) (rate(agw_requests_total{of}[$__rate_interval]))", "{{code_class}}")),
        _graph("Latency", "s", *_latency(of)),
        _graph("Refusals", "reqps", (f"sum by (kind) (rate(agw_refusals_total{of}[$__rate_interval])) > 0", "{{kind}}")),
        _graph("Workers", "none", (f"agw_workers_serving{of}", "serving"), (f"agw_workers{of}", "wanted")),
    ]  # fmt: skip
    if _many(mesh):
        yield "Route $route", _route_panels(None, "$route", job)
    else:
        for route in mesh.routes:
            yield _title(route), _route_panels(route, route.iri, job)
    for upstream in mesh.upstreams:
        if upstream.endpoints and not _many(mesh):
            yield f"Service {upstream.name}", _service_panels(upstream, job)


def _title(route: Route) -> str:
    path = route.match.path
    pattern = f"{path.text}/*" if path.kind is PathKind.PREFIX else path.text
    return " ".join(("Route", route.name, ",".join(sorted(route.match.methods)), pattern)).replace("  ", " ")


def _route_panels(route: Route | None, iri: str, job: str) -> list[Json]:
    of = labelled(job=job, route=iri)
    panels = [
        _graph("Requests", "reqps", (f"sum by (code_class) (rate(agw_requests_total{of}[$__rate_interval]))", "{{code_class}}"),
               about=iri),
        _graph("Latency", "s", *_latency(of)),
        _graph("Bytes", "Bps", (f"sum by (direction) (rate(agw_body_bytes_total{of}[$__rate_interval]))", "{{direction}}")),
    ]  # fmt: skip
    policies: list[tuple[str, str]] = []
    if route is not None:
        if route.breaker is not None:
            breaker = labelled(job=job, breaker=route.breaker.iri, state="OPEN")
            policies.append((f"max(agw_breaker_state{breaker})", "breaker open"))
        for limit in route.rate_limits:
            rejected = labelled(job=job, limiter=limit.iri, result="rejected")
            policies.append((f"sum(rate(agw_rate_limit_total{rejected}[$__rate_interval]))", "limited a second"))
        if route.retry is not None:
            granted = labelled(job=job, retry=route.retry.iri, result="granted")
            policies.append((f"sum(rate(agw_retries_total{granted}[$__rate_interval]))", "retries a second"))
        if route.concurrency is not None:
            bound = labelled(job=job, limit=route.concurrency.iri)
            policies.append((f"max(agw_concurrency_limit{bound})", "concurrency limit"))
    if policies:
        panels.append(_graph("Policies", "none", *policies))
    return panels


def _service_panels(upstream: Upstream, job: str) -> list[Json]:
    names = "|".join(_regular(endpoint.iri) for endpoint in upstream.endpoints)
    of = labelled(job=job)[:-1] + f',endpoint=~"{names}"}}'
    waits = labelled(job=job, service=upstream.iri)
    return [
        _graph("Attempts", "reqps", (f"sum by (endpoint) (rate(agw_endpoint_requests_total{of}[$__rate_interval]))", "{{endpoint}}"),
               about=upstream.iri),
        _graph("Failures", "reqps", (f"sum by (endpoint) (rate(agw_endpoint_failures_total{of}[$__rate_interval]))", "{{endpoint}}")),
        _graph("Under way", "none", (f"sum by (endpoint) (agw_endpoint_active_requests{of})", "{{endpoint}}"),
               (f"sum(agw_upstream_pending{waits})", "waiting")),
    ]  # fmt: skip


def _latency(of: str) -> Iterator[tuple[str, str]]:
    for share, name in _QUANTILES:
        yield f"histogram_quantile({share}, sum by (le) (rate({_BUCKETS}{of}[$__rate_interval])))", name


def _graph(title: str, unit: str, *queries: tuple[str, str], about: str = "") -> Json:
    targets = [
        {"refId": chr(65 + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for at, (expression, legend) in enumerate(queries)
    ]
    return {
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }


def _source_variable() -> Json:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}


def _route_variable(job: str) -> Json:
    busiest = f"topk(20, sum by (route) (rate(agw_requests_total{labelled(job=job)}[$__range])))"
    return {
        "name": "route", "label": "Route", "type": "query", "datasource": _SOURCE, "multi": True, "includeAll": False,
        "refresh": 2, "query": {"query": f"query_result({busiest})", "refId": "route"}, "regex": '/route="([^"]+)"/',
    }  # fmt: skip


def _revisions(job: str) -> Json:
    return {
        "name": "Revisions", "enable": True, "datasource": _SOURCE, "iconColor": "blue",
        "expr": f"changes(agw_config_loaded_timestamp_seconds{labelled(job=job)}[$__interval]) > 0",
        "titleFormat": "a revision went live",
    }  # fmt: skip


def _regular(iri: str) -> str:
    """An IRI in a regular expression in a PromQL string; RE2 takes no escape of what needs none."""
    return "".join(f"\\\\{char}" if char in "\\.+*?()|[]{}^$" else char for char in iri).replace('"', '\\"')
