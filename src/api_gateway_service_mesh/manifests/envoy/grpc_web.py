"""gRPC-Web by Envoy's filter: there when some route wants it, and switched off for all others."""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.model import Route

from .context import Context
from .typed import FILTER, Json, extension, typed

__all__ = ["grpc_web_filters", "route_grpc_web"]

_NAME: Final = "envoy.filters.http.grpc_web"


def grpc_web_filters(context: Context) -> list[Json]:
    """The filter, where a route wants it."""
    if not any(route.grpc_web for route in context.routes):
        return []
    return [{**extension(_NAME, f"{FILTER}.grpc_web.v3.GrpcWeb"), "disabled": True}]


def route_grpc_web(route: Route) -> dict[str, Any]:
    """What switches it on for a route."""
    if not route.grpc_web:
        return {}
    return {_NAME: typed("envoy.config.route.v3.FilterConfig", config={})}
