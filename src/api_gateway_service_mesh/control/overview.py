"""``/overview``: what is going on now, for ``agw top``: routes and services with their rates, and the state of what
protects them. Read from the cells; nothing is asked of those who serve."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.model import Route, Upstream
from api_gateway_service_mesh.policies import HealthState
from api_gateway_service_mesh.telemetry.live_rate import LiveRate

from .live import Live
from .live_rate import window_name

__all__ = ["overview", "overview_routes"]

_MOST = 10_000


def overview(live: Live, limit: int) -> dict[str, Any]:
    """As plain data: at most `limit` routes and as many services, the busiest of the last seconds first."""
    rates = live.rates()

    def busy(kind: str, iri: str) -> tuple[float, ...]:
        found = {rate.seconds: rate.per_second for rate in rates.get((kind, iri), ())}
        return tuple(-found[seconds] if seconds in found else 0.0 for seconds in (10.0, 60.0, 300.0))

    mesh = live.mesh
    routes = sorted(mesh.routes, key=lambda route: (busy("route", route.iri), route.iri))[:limit]
    services = sorted(mesh.upstreams, key=lambda each: (busy("service", each.iri), each.iri))[:limit]
    overload = live.overload()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "revision": live.revision,
        "gateway": {
            "iri": mesh.iri,
            "name": mesh.name,
            "rates": _rates(rates.get(("gateway", mesh.iri), ())),
            "overload": overload[0] if overload is not None else None,
        },
        "workers": live.workers,
        "routes_total": len(mesh.routes),
        "services_total": len(mesh.upstreams),
        "routes": _routes(live, routes, lambda iri: _rates(rates.get(("route", iri), ()))),
        "services": _services(live, services, lambda iri: _rates(rates.get(("service", iri), ()))),
    }


def _rates(rates: Sequence[LiveRate]) -> dict[str, dict[str, float | None]]:
    """By window; windows without a request are left out. Latencies in seconds."""
    found: dict[str, dict[str, float | None]] = {}
    for rate in rates:
        p50, p95, p99 = rate.latency if rate.latency is not None else (None, None, None)
        found[window_name(rate.seconds)] = {
            "requests_per_second": round(rate.per_second, 3),
            "error_share": round(rate.error_share, 6),
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }
    return found


def _routes(live: Live, routes: Sequence[Route], rates: Callable[[str], Any]) -> list[dict[str, Any]]:
    breakers = {breaker.iri: status.state.name for breaker, status in live.breakers()}
    limits = {limit.iri: totals for limit, totals in live.rate_limits()}
    concurrency = {limit.config.iri: limit for limit in live.concurrency_limits()}
    found = []
    for route in routes:
        adaptive = concurrency.get(route.concurrency.iri) if route.concurrency is not None else None
        found.append(
            {
                "iri": route.iri,
                "name": route.name,
                "path": route.match.path.text,
                "path_kind": str(route.match.path.kind),
                "hosts": list(route.match.hosts),
                "methods": list(route.match.methods),
                "services": list(route.upstreams),
                "rates": rates(route.iri),
                "breaker": breakers[route.breaker.iri] if route.breaker is not None else None,
                "limiters": [
                    {"iri": limit.iri, "admitted": limits[limit.iri].admitted, "rejected": limits[limit.iri].rejected}
                    for limit in route.rate_limits
                ],
                "concurrency": (
                    {"limit": round(adaptive.limit), "in_use": round(adaptive.in_use), "refused": adaptive.refused}
                    if adaptive is not None
                    else None
                ),
            }
        )
    return found


def _services(live: Live, services: Sequence[Upstream], rates: Callable[[str], Any]) -> list[dict[str, Any]]:
    of_unit = {unit.subject: status.state.name for unit, status in live.breaker_units()}
    ejected = {endpoint.iri: seconds for endpoint, seconds, _ in live.ejections()}
    states = {endpoint.iri: (totals, health) for endpoint, totals, health in live.endpoints()}
    places = {upstream.iri: totals for upstream, totals in live.bulkheads()}
    found = []
    for service in services:
        instances = []
        for endpoint in service.endpoints:
            totals, health = states[endpoint.iri]
            instances.append(
                {
                    "iri": endpoint.iri,
                    "address": endpoint.authority,
                    "health": health.name,
                    "ill": health is HealthState.UNHEALTHY,
                    "ejected_seconds": round(ejected.get(endpoint.iri, 0.0), 1),
                    "breaker": of_unit.get(endpoint.iri) if endpoint.iri != service.iri else None,
                    "active": totals.active,
                    "attempts": totals.requests,
                    "failures": totals.failures,
                }
            )
        found.append(
            {
                "iri": service.iri,
                "name": service.name,
                "rates": rates(service.iri),
                "breaker": of_unit.get(service.iri),
                "pending": places[service.iri].pending,
                "overflow": places[service.iri].overflow,
                "instances": instances,
            }
        )
    return found


def overview_routes(live_of: Callable[[web.Request], Live]) -> list[web.RouteDef]:
    """The route; `live_of` gives what is served."""

    async def answer(request: web.Request) -> web.Response:
        wanted = request.query.get("limit", "100")
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= _MOST):
            raise ClientError(f"limit is a whole number from 1 to {_MOST}: how many routes and services are told")
        live = live_of(request)
        found = await asyncio.to_thread(overview, live, int(wanted))
        text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
        return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-store"})

    return [web.get("/overview", answer)]
