"""Routes and meshes as Python states them. Each class checks itself and refuses with a sentence.

They are a short way of writing triples: what they cannot say (hosts, header predicates, splits …) is said in Turtle.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from api_gateway_service_mesh.errors import ConfigError, Finding
from api_gateway_service_mesh.model import MeshType, MtlsMode

__all__ = ["CircuitBreakerConfig", "RetryConfig", "RouteConfig", "ServiceMeshConfig"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §9.1: a method is a token


@dataclass(frozen=True, slots=True)
class ServiceMeshConfig:
    """The service mesh that the gateway's services live in.

    Args:
        mesh_type: ``istio``, ``linkerd`` or ``consul``.
        mtls_mode: ``STRICT``, ``PERMISSIVE`` or ``DISABLE``; the sidecars carry it.
        sidecar_port: where a sidecar takes outgoing connections; None: the mesh's own default.
        control_plane_endpoint: ``host:port`` of the control plane; None: not said.
        namespace: where the services live.

    Raises:
        ConfigError: a value is none of these.
    """

    mesh_type: str = "istio"
    mtls_mode: str = "STRICT"
    sidecar_port: int | None = 15001
    control_plane_endpoint: str | None = None
    namespace: str = "default"

    def __post_init__(self) -> None:
        _one_of("ServiceMeshConfig", "mesh_type", self.mesh_type, tuple(MeshType))
        _one_of("ServiceMeshConfig", "mtls_mode", self.mtls_mode, tuple(MtlsMode))
        if self.sidecar_port is not None:
            _whole("ServiceMeshConfig", "sidecar_port", self.sidecar_port, 1, 65535)


@dataclass(frozen=True, slots=True)
class CircuitBreakerConfig:
    """Opens after `failure_threshold` failures in a row, for `timeout_seconds`, then lets `half_open_requests` probe.

    Raises:
        ConfigError: a number is not positive.
    """

    failure_threshold: int = 5
    timeout_seconds: float = 30
    half_open_requests: int = 3

    def __post_init__(self) -> None:
        _whole("CircuitBreakerConfig", "failure_threshold", self.failure_threshold, 1)
        _positive("CircuitBreakerConfig", "timeout_seconds", self.timeout_seconds)
        _whole("CircuitBreakerConfig", "half_open_requests", self.half_open_requests, 1)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Up to `max_attempts` further tries after the first (``agw:retryAttempts``), after random pauses of up to
    `initial_delay_ms`, each time `backoff_multiplier` times as long.

    Raises:
        ConfigError: a number is out of its range.
    """

    max_attempts: int = 3
    backoff_multiplier: float = 2.0
    initial_delay_ms: int = 100

    def __post_init__(self) -> None:
        _whole("RetryConfig", "max_attempts", self.max_attempts, 0)
        _positive("RetryConfig", "backoff_multiplier", self.backoff_multiplier, least=1)
        _whole("RetryConfig", "initial_delay_ms", self.initial_delay_ms, 0)


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """One route.

    Args:
        path: ``/a/b`` exactly, ``/users/{id}`` as a template, ``/a/*`` as a prefix.
        method: an HTTP method, or ``*`` for any.
        backend_service: where requests go: ``host:port``, ``http://host:port`` or ``https://host:port``.
        rate_limit_rps: requests a second that all callers together get; None: no limit.
        timeout_seconds: from the request's head to the answer's head, retries included; None: no limit.

    Raises:
        ConfigError: a value is out of its range.
    """

    path: str
    method: str = "GET"
    backend_service: str = ""
    rate_limit_rps: int | None = None
    circuit_breaker: CircuitBreakerConfig | None = None
    retry_policy: RetryConfig | None = None
    timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            _refuse("RouteConfig", "path", self.path, 'a path that begins with "/", such as "/api/v1/products"')
        if not isinstance(self.method, str) or not _TOKEN.match(self.method):
            _refuse("RouteConfig", "method", self.method, 'an HTTP method such as "GET", or "*" for any')
        if not isinstance(self.backend_service, str) or not self.backend_service:
            _refuse(
                "RouteConfig", "backend_service", self.backend_service, 'an address such as "products-service:8080"'
            )
        if self.rate_limit_rps is not None:
            _whole("RouteConfig", "rate_limit_rps", self.rate_limit_rps, 1)
        if self.timeout_seconds is not None:
            _positive("RouteConfig", "timeout_seconds", self.timeout_seconds)
        if self.circuit_breaker is not None and not isinstance(self.circuit_breaker, CircuitBreakerConfig):
            _refuse("RouteConfig", "circuit_breaker", self.circuit_breaker, "a CircuitBreakerConfig")
        if self.retry_policy is not None and not isinstance(self.retry_policy, RetryConfig):
            _refuse("RouteConfig", "retry_policy", self.retry_policy, "a RetryConfig")


def _refuse(owner: str, name: str, value: object, allowed: str) -> NoReturn:
    raise ConfigError(
        Finding(
            "invalid-value",
            f"{owner}: {name} is {value!r}, which is not {allowed}",
            value=repr(value),
            allowed=allowed,
            remedy=f"give {name} {allowed}",
        )
    )


def _one_of(owner: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        _refuse(owner, name, value, "one of " + ", ".join(f'"{item}"' for item in allowed))


def _whole(owner: str, name: str, value: object, least: int, most: int | None = None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        _refuse(
            owner, name, value, f"a whole number from {least} to {most}" if most else f"a whole number from {least}"
        )


def _positive(owner: str, name: str, value: object, least: float = 0) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < least or not value:  # type: ignore[operator]
        _refuse(owner, name, value, f"a number from {least} on" if least else "a number above 0")
