"""EnvoyFilters: limits for all callers together, which Istio's own API cannot say. Each pod counts by itself.

Names after ``envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit``.
"""

from __future__ import annotations

from typing import Any, Final

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration, metadata, name_of
from api_gateway_service_mesh.model import RateLimit, Route
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["rate_limit_filters"]

_FILTER: Final = "envoy.filters.http.local_ratelimit"
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_STRUCT: Final = "type.googleapis.com/udpa.type.v1.TypedStruct"
_MANAGER: Final = "envoy.filters.network.http_connection_manager"


def rate_limit_filters(context: Context) -> list[Document]:
    """One EnvoyFilter for the gateway: the filter, and what it does on each route that has a limit it can keep."""
    kept: list[tuple[Route, RateLimit]] = []
    for entry in context.table.entries:
        limit = _kept(context, entry.route)
        if limit is not None:
            kept.append((entry.route, limit))
    if not kept:
        return []
    at = "GATEWAY" if context.gateway_bound else "SIDECAR_OUTBOUND"
    filters: dict[str, Any] = {"listener": {"filterChain": {"filter": {"name": _MANAGER}}}}
    patches: list[dict[str, Any]] = [
        {
            "applyTo": "HTTP_FILTER",
            "match": {"context": at, **filters},
            "patch": {
                "operation": "INSERT_BEFORE",
                "value": {"name": _FILTER, "typed_config": _struct({"stat_prefix": "agw"})},
            },
        }
    ]
    for route, limit in kept:
        named = {"routeConfiguration": {"vhost": {"route": {"name": route.iri}}}}
        value = {"typed_per_filter_config": {_FILTER: _struct(_limit(limit))}}
        patches.append(
            {
                "applyTo": "HTTP_ROUTE",
                "match": {"context": at, **named},
                "patch": {"operation": "MERGE", "value": value},
            }
        )
    where: dict[str, Any] = {"workloadSelector": {"labels": context.selector}} if context.gateway_bound else {}
    return [
        {
            "apiVersion": "networking.istio.io/v1alpha3",
            "kind": "EnvoyFilter",
            "metadata": metadata(
                name_of(f"{context.name}-limits"),
                context.namespace,
                gateway=context.mesh.iri,
                routes=[route.iri for route, _ in kept],
            ),
            "spec": {**where, "configPatches": patches},
        }
    ]


def _kept(context: Context, route: Route) -> RateLimit | None:
    """The limit of a route that a local filter can keep: one for all callers, by a bucket. The others are lost."""
    found: RateLimit | None = None
    for limit in route.rate_limits:
        plain = not limit.keys and not limit.windowed and route.request_cost == 1
        plain = plain and limit.cost_field is None and limit.answer_cost_field is None
        if plain and found is None:
            found = limit
            message = f"{route.name}: each pod admits {limit.requests_per_second:g}/s by itself"
            context.findings.append(differs(limit.iri, AGW.requestsPerSecond, message))
            continue
        message = (
            f"{route.name}: its rate limit of {limit.requests_per_second:g}/s is missing; Istio's proxies keep one "
            "limit a route, for all callers together"
        )
        context.findings.append(lost(limit.iri, AGW.hasRateLimiter, message, "keep agw in front"))
    return found


def _limit(limit: RateLimit) -> dict[str, Any]:
    rate = limit.requests_per_second
    fill = max(1, round(rate))
    every = {"numerator": 100, "denominator": "HUNDRED"}
    made: dict[str, Any] = {
        "stat_prefix": "agw",
        "token_bucket": {
            "max_tokens": max(limit.burst, fill),
            "tokens_per_fill": fill,
            "fill_interval": duration(fill / rate),
        },
        "filter_enabled": {"default_value": every},
    }
    if not limit.shadow:
        made["filter_enforced"] = {"default_value": every}
    if limit.fields:
        made["enable_x_ratelimit_headers"] = "DRAFT_VERSION_03"
    return made


def _struct(value: dict[str, Any]) -> dict[str, Any]:
    return {"@type": _STRUCT, "type_url": _TYPE, "value": value}
