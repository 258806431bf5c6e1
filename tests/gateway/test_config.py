from __future__ import annotations

from collections.abc import Callable

import pytest

from api_gateway_service_mesh import CircuitBreakerConfig, ConfigError, RetryConfig, RouteConfig, ServiceMeshConfig


def test_defaults_are_the_published_ones() -> None:
    assert ServiceMeshConfig() == ServiceMeshConfig("istio", "STRICT", 15001, None)
    assert CircuitBreakerConfig() == CircuitBreakerConfig(5, 30, 3)
    assert RetryConfig() == RetryConfig(3, 2.0, 100)
    assert RouteConfig("/a", backend_service="s:80").method == "GET"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: ServiceMeshConfig(mesh_type="isto"),
            'mesh_type is \'isto\', which is not one of "istio", "linkerd", "consul"',
        ),
        (lambda: ServiceMeshConfig(mtls_mode="strict"), 'one of "STRICT", "PERMISSIVE", "DISABLE"'),
        (lambda: ServiceMeshConfig(sidecar_port=0), "a whole number from 1 to 65535"),
        (lambda: RouteConfig("a", backend_service="s:80"), "begins with"),
        (lambda: RouteConfig("/a"), "backend_service is ''"),
        (lambda: RouteConfig("/a", method="GE T", backend_service="s:80"), "an HTTP method"),
        (lambda: RouteConfig("/a", backend_service="s:80", rate_limit_rps=0), "a whole number from 1"),
        (lambda: RouteConfig("/a", backend_service="s:80", rate_limit_rps=-5), "rate_limit_rps is -5"),
        (lambda: RouteConfig("/a", backend_service="s:80", rate_limit_rps=True), "a whole number"),
        (lambda: RouteConfig("/a", backend_service="s:80", timeout_seconds=0), "a number above 0"),
        (lambda: RouteConfig("/a", backend_service="s:80", timeout_seconds=float("nan")), "a number above 0"),
        (lambda: RouteConfig("/a", backend_service="s:80", retry_policy=3), "a RetryConfig"),  # type: ignore[arg-type]
        (lambda: RouteConfig("/a", backend_service="s:80", circuit_breaker={}), "a CircuitBreakerConfig"),  # type: ignore[arg-type]
        (lambda: CircuitBreakerConfig(failure_threshold=0), "failure_threshold is 0"),
        (lambda: CircuitBreakerConfig(timeout_seconds=-1), "timeout_seconds is -1"),
        (lambda: RetryConfig(max_attempts=-1), "max_attempts is -1"),
        (lambda: RetryConfig(backoff_multiplier=0.5), "a number from 1 on"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make()
    assert said in refused.value.message
    assert refused.value.report.violations[0].remedy
