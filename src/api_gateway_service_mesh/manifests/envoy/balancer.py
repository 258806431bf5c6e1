"""How an endpoint is chosen: a cluster's balancing, and what of a request its routes hash."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import Algorithm, Balancer, HashAlgorithm, KeyKind, RequestKey, Route
from api_gateway_service_mesh.vocabulary import AGW

from .context import ClusterUse, Context
from .typed import Json, seconds

__all__ = ["balancing", "hash_policy"]

_POLICY: Final = {
    Algorithm.ROUND_ROBIN: "ROUND_ROBIN",
    Algorithm.WEIGHTED: "ROUND_ROBIN",  # the weights stand at the endpoints
    Algorithm.LEAST_CONNECTIONS: "LEAST_REQUEST",
    Algorithm.POWER_OF_TWO: "LEAST_REQUEST",
    Algorithm.EWMA: "LEAST_REQUEST",
    Algorithm.RANDOM: "RANDOM",
}


def balancing(context: Context, use: ClusterUse) -> Json:
    """What a cluster says of balancing."""
    balancer = use.balancer or Balancer("")
    common: Json = {"healthy_panic_threshold": {"value": 0 if use.breaker is not None else balancer.panic_threshold}}
    if any(endpoint.zone for endpoint in use.endpoints) and context.mesh.zone is not None:
        common["zone_aware_lb_config"] = {"min_cluster_size": 1}
    made: Json = {"common_lb_config": common}
    hashed = balancer.algorithm is Algorithm.CONSISTENT_HASH
    if hashed:
        maglev = balancer.hash_algorithm is HashAlgorithm.MAGLEV
        made["lb_policy"] = "MAGLEV" if maglev else "RING_HASH"
        return made
    made["lb_policy"] = _POLICY[balancer.algorithm]
    settings: Json = {}
    if balancer.algorithm is Algorithm.LEAST_CONNECTIONS:
        settings["choice_count"] = max(2, min(len(use.endpoints) * 2, 64))
    if balancer.slow_start_seconds:
        settings["slow_start_config"] = {
            "slow_start_window": seconds(balancer.slow_start_seconds),
            "aggression": {"default_value": balancer.slow_start_aggression, "runtime_key": "agw.slow_start"},
        }
    if settings:
        kind = "least_request_lb_config" if made["lb_policy"] == "LEAST_REQUEST" else "round_robin_lb_config"
        if made["lb_policy"] != "RANDOM":
            made[kind] = settings
    if balancer.algorithm is Algorithm.EWMA:
        message = f"{use.upstream.name}: Envoy does not balance by latency; it counts requests under way"
        context.say(differs(balancer.iri, AGW.balancingAlgorithm, message))
    return made


def hash_policy(context: Context, route: Route) -> list[Json]:
    """What of a request decides about the endpoint, and about the side of a split that it keeps to."""
    made: list[Json] = []
    if route.splits and route.split_cookie is not None:
        made.append({"cookie": {"name": route.split_cookie, "ttl": "0s", "path": "/"}})
    elif route.splits and route.split_key is not None:
        made += _hashed(context, route, route.split_key, AGW.splitKey)
    elif route.balancer is not None and route.balancer.algorithm is Algorithm.CONSISTENT_HASH:
        made += _hashed(context, route, route.balancer.hash_key or RequestKey(KeyKind.CLIENT_ADDRESS), AGW.hashKey)
    return made


def _hashed(context: Context, route: Route, key: RequestKey, term: str) -> list[Json]:
    match key.kind:
        case KeyKind.CLIENT_ADDRESS:
            return [{"connection_properties": {"source_ip": True}}]
        case KeyKind.HEADER:
            return [{"header": {"header_name": key.name}}]
        case KeyKind.COOKIE:
            return [{"cookie": {"name": key.name}}]
        case _:
            message = f"{route.name}: Envoy does not hash by {key}"
            context.say(lost(route.iri, term, message, "hash by a header or a cookie"))
            return []
