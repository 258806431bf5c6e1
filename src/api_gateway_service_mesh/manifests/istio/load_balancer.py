"""Balancing and outlier detection in a DestinationRule: what Istio's words can say of ours, and what they cannot."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration
from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    HashAlgorithm,
    KeyKind,
    OutlierDetection,
    Route,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["load_balancer", "outlier_detection"]

_SIMPLE = {
    Algorithm.ROUND_ROBIN: "ROUND_ROBIN",
    Algorithm.WEIGHTED: "ROUND_ROBIN",  # the weights stand at the ServiceEntry's endpoints
    Algorithm.LEAST_CONNECTIONS: "LEAST_REQUEST",
    Algorithm.POWER_OF_TWO: "LEAST_REQUEST",  # of two drawn, as ours
    Algorithm.EWMA: "LEAST_REQUEST",
    Algorithm.RANDOM: "RANDOM",
}
_SESSION = "0s"
_LEAST_PERCENT = 10  # of slow start, as `policies.roster`


def load_balancer(context: Context, upstream: Upstream, routes: list[Route]) -> dict[str, Any] | None:
    """``trafficPolicy.loadBalancer`` of a service: the balancer of its first route that states one."""
    made: dict[str, Any] = {}
    for route in routes:
        if route.subset or any(split.subset for split in route.splits if split.upstream == upstream.iri):
            message = f"{route.name}: the labels it selects instances by are not written; its requests go to all"
            remedy = "make a service of each subset, or keep agw in front"
            context.findings.append(lost(route.iri, AGW.selectsLabel, message, remedy))
    stated = [route.balancer for route in routes if route.balancer is not None]
    if stated:
        first = stated[0]
        if len({(balancer.algorithm, balancer.hash_key, balancer.sticky) for balancer in stated}) > 1:
            message = f"{upstream.name}: Istio has one load balancer a service; {first.iri} counts for all its routes"
            context.findings.append(differs(first.iri, AGW.hasLoadBalancer, message))
        made = _stated(context, upstream, first)
    if context.mesh.zone is not None and any(endpoint.zone for endpoint in upstream.endpoints):
        made["localityLbSetting"] = {"enabled": True}
        message = f"{upstream.name}: Istio takes zones from its nodes and workloads, not from here"
        context.findings.append(differs(upstream.iri, AGW.zone, message))
    return made or None


def _stated(context: Context, upstream: Upstream, balancer: Balancer) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if balancer.sticky is not None:
        cookie: dict[str, Any] = {"name": balancer.sticky.name, "path": balancer.sticky.path}
        cookie["ttl"] = _SESSION if balancer.sticky.ttl_seconds is None else duration(balancer.sticky.ttl_seconds)
        made["consistentHash"] = {"httpCookie": cookie}
        message = f"{upstream.name}: Istio hashes its cookie, so a change of instances moves some of the sessions"
        context.findings.append(differs(balancer.iri, AGW.stickyCookie, message))
    elif balancer.algorithm is Algorithm.CONSISTENT_HASH:
        made = _consistent_hash(context, upstream, balancer)
    else:
        made["simple"] = _SIMPLE[balancer.algorithm]
    if balancer.algorithm is Algorithm.EWMA:
        message = f"{upstream.name}: Istio does not balance by latency; it counts requests under way"
        context.findings.append(differs(balancer.iri, AGW.balancingAlgorithm, message))
    if balancer.slow_start_seconds and "simple" in made:
        made["warmup"] = {
            "duration": duration(balancer.slow_start_seconds),
            "minimumPercent": _LEAST_PERCENT,
            "aggression": balancer.slow_start_aggression,
        }
    return made


def _consistent_hash(context: Context, upstream: Upstream, balancer: Balancer) -> dict[str, Any]:
    key = balancer.hash_key
    if key is None or key.kind is KeyKind.CLIENT_ADDRESS:
        made: dict[str, Any] = {"useSourceIp": True}
    elif key.kind is KeyKind.HEADER:
        made = {"httpHeaderName": key.name}
    elif key.kind is KeyKind.COOKIE:
        made = {"httpCookie": {"name": key.name, "ttl": _SESSION}}
    else:
        message = f"{upstream.name}: Istio cannot hash by {key}"
        remedy = "hash by client-address, header:NAME or cookie:NAME"
        context.findings.append(lost(balancer.iri, AGW.hashKey, message, remedy))
        return {}
    if balancer.hash_algorithm is HashAlgorithm.MAGLEV:
        made["maglev"] = {}
    return {"consistentHash": made}


def outlier_detection(context: Context, upstream: Upstream, config: OutlierDetection) -> dict[str, Any]:
    """``trafficPolicy.outlierDetection`` of a service. The panic threshold is Istio's ``minHealthPercent``."""
    if config.success_rate_factor is not None or config.failure_percentage is not None:
        message = f"{upstream.name}: Istio ejects by errors in a row, not by rates"
        context.findings.append(lost(config.iri, AGW.hasOutlierDetection, message, "keep agw in front"))
    thresholds = {route.balancer.panic_threshold for route in context.used[upstream.iri] if route.balancer is not None}
    return {
        "consecutive5xxErrors": config.consecutive_errors,
        "consecutiveGatewayErrors": config.consecutive_gateway_errors,
        "interval": duration(config.interval_seconds),
        "baseEjectionTime": duration(config.base_ejection_seconds),
        "maxEjectionPercent": config.maximum_ejection_percent,
        "minHealthPercent": max(thresholds, default=Balancer("").panic_threshold),
    }
