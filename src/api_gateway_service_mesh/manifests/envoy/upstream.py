"""Clusters and their endpoints: balancing, health, outliers, breakers, bounds, TLS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import (
    Breaker,
    BreakerScope,
    CheckProtocol,
    ConnectionPool,
    Endpoint,
    HealthCheck,
    HttpProtocol,
    OutlierDetection,
    Upstream,
)
from api_gateway_service_mesh.vocabulary import AGW

from .balancer import balancing
from .context import ClusterUse, Context
from .secret import ADS, upstream_tls
from .typed import Json, seconds, typed

__all__ = ["cluster", "is_static", "load_assignment"]

_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_UNBOUNDED: Final = 0xFFFF_FFFF


def is_static(use: ClusterUse) -> bool:
    """Whether all endpoints are addresses, so that nobody need be asked for them."""
    return all(_is_address(endpoint.host) for endpoint in use.endpoints)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def cluster(context: Context, name: str, use: ClusterUse) -> Json:
    """The cluster `name`."""
    upstream, pool = use.upstream, use.upstream.pool
    made: Json = {"name": name, "connect_timeout": seconds(pool.connect_timeout_seconds)}
    made["alt_stat_name"] = name
    if not is_static(use):
        made["type"] = "STRICT_DNS"
        made["load_assignment"] = load_assignment(name, use)
    elif context.dynamic:
        made["type"] = "EDS"
        made["eds_cluster_config"] = {"eds_config": ADS}
    else:
        made["type"] = "STATIC"
        made["load_assignment"] = load_assignment(name, use)
    made |= balancing(context, use)
    checks = [check for check in (upstream.health,) if check is not None]
    if checks:
        made["health_checks"] = [_check(check) for check in checks]
    for purpose in upstream.checks:
        if upstream.checks[purpose] is not upstream.health:
            message = f"{upstream.name}: Envoy has one kind of health check; the {purpose} probe is left out"
            context.say(differs(upstream.iri, AGW.hasHealthCheck, message))
    ejection = _outliers(context, use)
    if ejection:
        made["outlier_detection"] = ejection
    made["circuit_breakers"] = {"thresholds": [_thresholds(use)]}
    options: dict[str, Any] = {"idle_timeout": seconds(pool.idle_timeout_seconds)}
    if pool.max_requests_per_connection is not None:
        options["max_requests_per_connection"] = pool.max_requests_per_connection
    socket = upstream_tls(context, upstream, use.endpoints)
    made["typed_extension_protocol_options"] = {
        _HTTP_OPTIONS: typed(
            _HTTP_OPTIONS, common_http_protocol_options=options, **_protocol(upstream, secure=socket is not None)
        )
    }
    if pool.queue_timeout_seconds is not None:
        message = f"{upstream.name}: Envoy does not bound how long a request waits for a connection"
        context.say(lost(pool.iri or upstream.iri, AGW.queueTimeout, message))
    if socket is not None and all(endpoint.tls for endpoint in use.endpoints):
        made["transport_socket"] = socket
    elif socket is not None:  # some of them speak TLS; the endpoints say which
        made["transport_socket_matches"] = [{"name": "tls", "match": {"tls": True}, "transport_socket": socket}]
    made["metadata"] = {"filter_metadata": {"agw": {"service": upstream.iri}}}
    return made


def _protocol(upstream: Upstream, *, secure: bool) -> Json:
    first = {"enable_trailers": True} if upstream.accepts_trailers else {}
    second = {"max_concurrent_streams": upstream.pool.max_concurrent_streams}
    if upstream.protocol is HttpProtocol.HTTP2:
        return {"explicit_http_config": {"http2_protocol_options": second}}
    if upstream.protocol is HttpProtocol.AUTO and secure:
        return {"auto_config": {"http_protocol_options": first, "http2_protocol_options": second}}
    return {"explicit_http_config": {"http_protocol_options": first}}


def load_assignment(name: str, use: ClusterUse) -> Json:
    """The endpoints of the cluster `name`, by priority and zone. Those of weight 0 get no traffic, so they are not in
    it."""
    places: dict[tuple[int, str], list[Json]] = {}
    for endpoint in use.endpoints:
        if endpoint.weight > 0:
            places.setdefault((endpoint.priority, endpoint.zone or ""), []).append(_endpoint(endpoint))
    numbers = {priority: number for number, priority in enumerate(sorted({priority for priority, _ in places}))}
    localities: list[Json] = []
    for (priority, zone), members in sorted(places.items()):
        locality: Json = {"lb_endpoints": members}
        if zone:
            locality["locality"] = {"zone": zone}
        if numbers[priority]:
            locality["priority"] = numbers[priority]
        localities.append(locality)
    made: Json = {"cluster_name": name, "endpoints": localities}
    balancer = use.balancer
    if balancer is not None:
        made["policy"] = {"overprovisioning_factor": round(balancer.overprovisioning * 100)}
    return made


def _endpoint(endpoint: Endpoint) -> Json:
    place = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    about: Json = {"agw": {"instance": endpoint.iri}}
    if endpoint.tls:
        about["envoy.transport_socket_match"] = {"tls": True}
    return {
        "endpoint": {"address": place},
        "load_balancing_weight": endpoint.weight,
        "metadata": {"filter_metadata": about},
    }


def _check(check: HealthCheck) -> Json:
    made: Json = {
        "timeout": seconds(check.timeout_seconds),
        "interval": seconds(check.interval_seconds),
        "interval_jitter_percent": check.jitter,
        "healthy_threshold": check.success_threshold,
        "unhealthy_threshold": check.failure_threshold,
        "no_traffic_interval": seconds(check.interval_seconds),
    }
    if check.unhealthy_interval_seconds is not None:
        made["unhealthy_interval"] = seconds(check.unhealthy_interval_seconds)
    if check.protocol is CheckProtocol.TCP:
        made["tcp_health_check"] = {}
    elif check.protocol is CheckProtocol.GRPC:
        made["grpc_health_check"] = {"service_name": check.grpc_service} if check.grpc_service else {}
    else:
        asked: Json = {"path": check.path, "host": check.host or "agw"}
        ranges = [text.partition("-") for text in check.statuses or ("200-299",)]
        asked["expected_statuses"] = [{"start": int(low), "end": int(high or low) + 1} for low, _, high in ranges]
        if check.headers:
            pairs = [line.partition(":") for line in check.headers]
            asked["request_headers_to_add"] = [
                {"header": {"key": name.strip(), "value": value.strip()}} for name, _, value in pairs
            ]
        made["http_health_check"] = asked
    return made


def _thresholds(use: ClusterUse) -> Json:
    pool: ConnectionPool = use.upstream.pool
    made: Json = {
        "max_connections": pool.max_connections,
        "max_pending_requests": pool.max_pending_requests,
        "max_requests": _UNBOUNDED if pool.max_requests is None else pool.max_requests,
        "max_retries": _UNBOUNDED if pool.max_concurrent_retries is None else pool.max_concurrent_retries,
        "track_remaining": True,
    }
    retry = use.retry
    if retry is not None and pool.max_concurrent_retries is None:
        made["retry_budget"] = {
            "budget_percent": {"value": min(retry.budget_percent, 100.0)},
            "min_retry_concurrency": retry.budget_minimum,
        }
    return made


def _outliers(context: Context, use: ClusterUse) -> Json | None:
    stated, breaker = use.upstream.outlier, use.breaker
    made: Json = {}
    if stated is not None:
        made = _stated(stated)
    if breaker is not None:
        made |= _broken(breaker)
        _report(context, use, breaker)
    return made or None


def _stated(stated: OutlierDetection) -> Json:
    made: Json = {
        "consecutive_5xx": stated.consecutive_errors or 1,
        "enforcing_consecutive_5xx": 100 if stated.consecutive_errors else 0,
        "consecutive_gateway_failure": stated.consecutive_gateway_errors or 1,
        "enforcing_consecutive_gateway_failure": 100 if stated.consecutive_gateway_errors else 0,
        "interval": seconds(stated.interval_seconds),
        "base_ejection_time": seconds(stated.base_ejection_seconds),
        "max_ejection_time": seconds(max(stated.maximum_ejection_seconds, stated.base_ejection_seconds)),
        "max_ejection_percent": stated.maximum_ejection_percent,
        "always_eject_one_host": True,
        "enforcing_success_rate": 0 if stated.success_rate_factor is None else 100,
        "enforcing_failure_percentage": 0 if stated.failure_percentage is None else 100,
    }
    if stated.success_rate_factor is not None:
        made["success_rate_stdev_factor"] = round(stated.success_rate_factor * 1000)
        made["success_rate_minimum_hosts"] = stated.minimum_hosts
        made["success_rate_request_volume"] = stated.minimum_requests
    if stated.failure_percentage is not None:
        made["failure_percentage_threshold"] = stated.failure_percentage
        made["failure_percentage_minimum_hosts"] = stated.minimum_hosts
        made["failure_percentage_request_volume"] = stated.minimum_requests
    return made


def _broken(breaker: Breaker) -> Json:
    """A breaker as an ejection of whoever fails: the time it stays open is the time of the ejection."""
    longest = breaker.max_open_seconds if breaker.open_multiplier > 1 else breaker.open_seconds
    made: Json = {
        "consecutive_5xx": breaker.failure_threshold,
        "enforcing_consecutive_5xx": 100,
        "enforcing_success_rate": 0,
        "base_ejection_time": seconds(breaker.open_seconds),
        "max_ejection_time": seconds(max(longest, breaker.open_seconds)),
        "max_ejection_time_jitter": "0s",
        "max_ejection_percent": 100,
        "interval": seconds(min(breaker.open_seconds, 1.0)),
    }
    if breaker.failure_rate is not None:
        made |= {
            "interval": seconds(breaker.window_seconds),
            "enforcing_failure_percentage": 100,
            "failure_percentage_threshold": round(breaker.failure_rate),
            "failure_percentage_minimum_hosts": 1,
            "failure_percentage_request_volume": breaker.minimum_requests,
        }
    return made


def _report(context: Context, use: ClusterUse, breaker: Breaker) -> None:
    name = use.upstream.name
    message = (
        f"{name}: Envoy's breaker is the ejection of an instance; it comes back with all its traffic, not by probes"
    )
    context.say(differs(breaker.iri, AGW.halfOpenRequests, message))
    if breaker.scope is not BreakerScope.INSTANCE and len(use.endpoints) > 1:
        message = f"{name}: Envoy judges each of its instances by itself, not the service as a whole"
        context.say(differs(breaker.iri, AGW.breakerScope, message))
    if breaker.slow_seconds is not None:
        message = f"{name}: Envoy ejects nobody for being slow"
        context.say(
            lost(breaker.iri, AGW.slowCallDuration, message, "bound the time of attempts (agw:perAttemptTimeout)")
        )
    if breaker.failure_statuses:
        message = f"{name}: to Envoy every 5xx is a failure, and nothing else"
        context.say(differs(breaker.iri, AGW.failureStatus, message))
