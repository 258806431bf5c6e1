"""CORS by Envoy's filter, which stands before all others: preflights carry no credentials."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.manifests.cors import allowed, origin_matchers, report_preflights
from api_gateway_service_mesh.model import Route

from .context import Context
from .typed import FILTER, Json, extension, typed

__all__ = ["BACKENDS", "cors_filters", "route_cors"]

_NAME: Final = "envoy.filters.http.cors"

#: What a backend says of these is taken away: the gateway's word counts.
BACKENDS: Final = (
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods",
    "access-control-allow-headers", "access-control-max-age", "access-control-expose-headers",
    "access-control-allow-private-network",
)  # fmt: skip


def cors_filters(context: Context) -> list[Json]:
    """The filter, where a route has a policy; without one it does nothing."""
    if not any(route.cors is not None for route in context.routes):
        return []
    return [extension(_NAME, f"{FILTER}.cors.v3.Cors")]


def route_cors(context: Context, route: Route) -> dict[str, Any]:
    """A route's policy."""
    there = allowed(route)
    if there is None:
        return {}
    cors = there.cors
    for finding in report_preflights(route, cors, "Envoy"):
        context.say(finding)
    made: Json = {
        "allow_origin_string_match": [
            {"safe_regex": {"regex": each["regex"]}} if "regex" in each else each for each in origin_matchers(cors)
        ],
        "allow_methods": ", ".join(there.methods),
        "allow_credentials": cors.credentials,
        "forward_not_matching_preflights": False,
    }
    if cors.headers:
        made["allow_headers"] = ", ".join(cors.headers)
    if cors.exposed:
        made["expose_headers"] = ", ".join(cors.exposed)
    if cors.max_age_seconds is not None:
        made["max_age"] = str(cors.max_age_seconds)
    return {_NAME: typed(f"{FILTER}.cors.v3.CorsPolicy", **made)}
