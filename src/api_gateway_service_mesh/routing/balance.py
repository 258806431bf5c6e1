"""How a route chooses among endpoints, and how their health is known: parts of its decision."""

from __future__ import annotations

from collections.abc import Sequence

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    CheckProtocol,
    HashAlgorithm,
    HealthCheck,
    OutlierDetection,
    Purpose,
    Route,
    StickyCookie,
    Upstream,
)

from .part import Citation, Part, cite, number, unless_default

__all__ = ["balancer_part", "health_parts", "subset_part"]


def subset_part(selector: str, labels: Sequence[str]) -> Part:
    """Which endpoints a route or a split selects."""
    cited = tuple(cite(selector, "selectsLabel", label) for label in labels)
    return Part("subset", selector, f"only instances with {' and '.join(labels)}", cited)


def balancer_part(route: Route, balancer: Balancer) -> Part:
    """How one endpoint is chosen."""
    iri, usual = balancer.iri, Balancer(balancer.iri)
    cited = [cite(route.iri, "hasLoadBalancer", iri), cite(iri, "balancingAlgorithm", balancer.algorithm.value)]
    text = balancer.algorithm.value
    if balancer.hash_key is not None:
        cited.append(cite(iri, "hashKey", str(balancer.hash_key)))
        text += f" by {balancer.hash_key}"
    if balancer.algorithm is Algorithm.CONSISTENT_HASH and balancer.hash_algorithm is not HashAlgorithm.RING:
        cited.append(cite(iri, "hashAlgorithm", balancer.hash_algorithm.value))
        text += f" ({balancer.hash_algorithm.value})"
    cited += unless_default(
        iri,
        [
            ("panicThreshold", balancer.panic_threshold, usual.panic_threshold),
            ("overprovisioningFactor", balancer.overprovisioning, usual.overprovisioning),
            ("latencyDecay", balancer.latency_decay_seconds, usual.latency_decay_seconds),
            ("slowStartWindow", balancer.slow_start_seconds, usual.slow_start_seconds),
            ("slowStartAggression", balancer.slow_start_aggression, usual.slow_start_aggression),
        ],
    )
    if balancer.slow_start_seconds:
        text += f", slow start over {number(balancer.slow_start_seconds)} s"
    if balancer.panic_threshold != usual.panic_threshold:
        text += f", panic below {balancer.panic_threshold} %" if balancer.panic_threshold else ", no panic"
    if balancer.sticky is not None:
        sticky, plain = balancer.sticky, StickyCookie(balancer.sticky.name)
        text += f", sticky by cookie {sticky.name}"
        cited.append(cite(iri, "stickyCookie", sticky.name))
        cited += unless_default(iri, [("stickyCookieLifetime", sticky.ttl_seconds, None)])
        if sticky.path != plain.path:
            cited.append(cite(iri, "stickyCookiePath", sticky.path))
        if sticky.same_site is not plain.same_site:
            cited.append(cite(iri, "stickyCookieSameSite", sticky.same_site.value))
        if sticky.key_ref is not None:
            cited.append(cite(iri, "stickyCookieKeyRef", sticky.key_ref))
    return Part("balancer", iri, text, tuple(cited))


def health_parts(upstream: Upstream) -> list[Part]:
    """The checks of an upstream's endpoints, active and passive."""
    parts = [_check(upstream.iri, purpose, check) for purpose, check in upstream.checks.items()]
    if upstream.outlier is not None:
        parts.append(_outlier(upstream.iri, upstream.outlier))
    return parts


def _check(upstream: str, purpose: Purpose, check: HealthCheck) -> Part:
    iri, usual = check.iri, HealthCheck(check.iri)
    cited = [cite(upstream, "hasHealthCheck", iri)]
    cited += unless_default(
        iri,
        [
            ("healthCheckInterval", check.interval_seconds, usual.interval_seconds),
            ("healthCheckTimeout", check.timeout_seconds, usual.timeout_seconds),
            ("successThreshold", check.success_threshold, usual.success_threshold),
            ("failureThresholdHealth", check.failure_threshold, usual.failure_threshold),
            ("unhealthyCheckInterval", check.unhealthy_interval_seconds, None),
            ("healthCheckJitter", check.jitter, usual.jitter),
        ],
    )
    what = f"GET {check.path}"
    if check.protocol is not CheckProtocol.HTTP:
        what = "a connection" if check.protocol is CheckProtocol.TCP else f"gRPC health {check.grpc_service}".rstrip()
        cited.append(cite(iri, "healthCheckProtocol", check.protocol.value))
    elif check.path != usual.path:
        cited.append(cite(iri, "healthCheckPath", check.path))
    cited += _texts(iri, check)
    return Part("health check", iri, f"{purpose}: {what} every {number(check.interval_seconds)} s", tuple(cited))


def _texts(iri: str, check: HealthCheck) -> list[Citation]:
    cited = [cite(iri, "expectedStatus", status) for status in check.statuses]
    cited += [cite(iri, "healthCheckHeader", field) for field in check.headers]
    if check.host is not None:
        cited.append(cite(iri, "healthCheckHost", check.host))
    if check.grpc_service:
        cited.append(cite(iri, "grpcServiceName", check.grpc_service))
    return cited


def _outlier(upstream: str, config: OutlierDetection) -> Part:
    iri, usual = config.iri, OutlierDetection(config.iri)
    cited = [cite(upstream, "hasOutlierDetection", iri)]
    cited += unless_default(
        iri,
        [
            ("consecutiveErrors", config.consecutive_errors, usual.consecutive_errors),
            ("consecutiveGatewayErrors", config.consecutive_gateway_errors, usual.consecutive_gateway_errors),
            ("outlierInterval", config.interval_seconds, usual.interval_seconds),
            ("baseEjectionTime", config.base_ejection_seconds, usual.base_ejection_seconds),
            ("maximumEjectionTime", config.maximum_ejection_seconds, usual.maximum_ejection_seconds),
            ("maximumEjectionPercent", config.maximum_ejection_percent, usual.maximum_ejection_percent),
            ("successRateFactor", config.success_rate_factor, None),
            ("failurePercentage", config.failure_percentage, None),
            ("outlierMinimumHosts", config.minimum_hosts, usual.minimum_hosts),
            ("outlierMinimumRequests", config.minimum_requests, usual.minimum_requests),
        ],
    )
    rules = [
        f"{most} {what} in a row"
        for most, what in (
            (config.consecutive_errors, "server errors"),
            (config.consecutive_gateway_errors, "gateway errors"),
        )
        if most
    ]
    if config.success_rate_factor is not None:
        rules.append(f"a success rate {number(config.success_rate_factor)} deviations below the mean")
    if config.failure_percentage is not None:
        rules.append(f"{config.failure_percentage} % failures")
    text = f"out for {number(config.base_ejection_seconds)} s after {' or '.join(rules)}" if rules else "ejects nothing"
    return Part("outlier detection", iri, text, tuple(cited))
