"""Configuration objects as triples: readable IRIs, published terms.

Everything is named ``urn:agw:config:…`` (prefix ``gw:``) after what it is: ``gw:get-api-v1-products`` is the route of
GET /api/v1/products, ``gw:get-api-v1-products-limit`` its limiter, ``gw:products-service-8080`` the service behind it.
The same program makes the same IRIs, so what is kept by IRI means the same thing after a restart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from decimal import Decimal

from pyoxigraph import Literal, NamedNode, Triple

from api_gateway_service_mesh.vocabulary import AGW, IMPLIED_GATEWAY, RDF_TYPE, XSD

from .config import CircuitBreakerConfig, RetryConfig, RouteConfig, ServiceMeshConfig

__all__ = ["NAMESPACE", "mesh_triples", "route_iri", "route_triples", "service_iri", "service_triples"]

NAMESPACE = "urn:agw:config:"

_MESH = f"{NAMESPACE}mesh"
_MTLS = f"{NAMESPACE}mtls"
_PLAIN = re.compile(r"[^A-Za-z0-9_]+")


def route_iri(config: RouteConfig, taken: Collection[str]) -> str:
    """The IRI of a route: its method and path; with a hash when another route's IRI reads the same."""
    method = "any" if config.method == "*" else config.method.lower()
    name = "-".join((method, _slug(config.path) or "root"))
    return _free(name, f"{config.method} {config.path}", taken)


def service_iri(address: str, taken: Collection[str]) -> str:
    """The IRI of the service at `address`."""
    return _free(_slug(address.removeprefix("http://").replace("://", "-")), address, taken)


def _slug(text: str) -> str:
    return _PLAIN.sub("-", text).strip("-")


def _free(name: str, meant: str, taken: Collection[str]) -> str:
    iri = NAMESPACE + name
    if iri not in taken:
        return iri
    return f"{iri}-{hashlib.sha256(meant.encode()).hexdigest()[:8]}"


def mesh_triples(config: ServiceMeshConfig) -> Iterator[Triple]:
    """A gateway and the mesh it lives in."""
    yield from _thing(IMPLIED_GATEWAY, AGW.ApiGateway)
    yield _link(IMPLIED_GATEWAY, AGW.hasServiceMesh, _MESH)
    yield from _thing(_MESH, AGW.ServiceMesh)
    yield _text(_MESH, AGW.meshType, config.mesh_type)
    yield _text(_MESH, AGW.meshNamespace, config.namespace)
    if config.sidecar_port is not None:
        yield _whole(_MESH, AGW.sidecarPort, config.sidecar_port)
    if config.control_plane_endpoint is not None:
        yield _text(_MESH, AGW.controlPlaneEndpoint, config.control_plane_endpoint)
    yield _link(_MESH, AGW.hasMutualTLS, _MTLS)
    yield from _thing(_MTLS, AGW.MutualTLS)
    yield _text(_MTLS, AGW.mtlsMode, config.mtls_mode)


def service_triples(iri: str, address: str, *, in_mesh: bool) -> Iterator[Triple]:
    """A backend service; one in the mesh shares the mesh's mTLS."""
    yield from _thing(iri, AGW.BackendService)
    yield _text(iri, AGW.address, address)
    if in_mesh:
        yield _link(iri, AGW.hasServiceMesh, _MESH)
        yield _link(iri, AGW.hasMutualTLS, _MTLS)


def route_triples(iri: str, config: RouteConfig, service: str, gateway: str | None) -> Iterator[Triple]:
    """A route with its policies, and the gateway that has it (None: the graph names no gateway)."""
    if gateway is not None:
        yield _link(gateway, AGW.hasRoute, iri)
    yield from _thing(iri, AGW.Route)
    yield _text(iri, AGW.routePath, config.path)
    if config.method != "*":
        yield _text(iri, AGW.httpMethod, config.method.upper())
    yield _link(iri, AGW.hasBackendService, service)
    if config.rate_limit_rps is not None:
        yield _link(iri, AGW.hasRateLimiter, f"{iri}-limit")
        yield from _thing(f"{iri}-limit", AGW.RateLimiter)
        yield _whole(f"{iri}-limit", AGW.requestsPerSecond, config.rate_limit_rps)
    if config.circuit_breaker is not None:
        yield _link(iri, AGW.hasCircuitBreaker, f"{iri}-breaker")
        yield from _breaker(f"{iri}-breaker", config.circuit_breaker)
    if config.retry_policy is not None:
        yield _link(iri, AGW.hasRetryPolicy, f"{iri}-retry")
        yield from _retry(f"{iri}-retry", config.retry_policy)
    if config.timeout_seconds is not None:
        yield _link(iri, AGW.hasTimeout, f"{iri}-timeout")
        yield from _thing(f"{iri}-timeout", AGW.Timeout)
        yield _seconds(f"{iri}-timeout", AGW.timeoutSeconds, AGW.timeoutDuration, config.timeout_seconds)


def _breaker(iri: str, config: CircuitBreakerConfig) -> Iterator[Triple]:
    yield from _thing(iri, AGW.CircuitBreaker)
    yield _whole(iri, AGW.failureThreshold, config.failure_threshold)
    yield _seconds(iri, AGW.timeoutSeconds, AGW.openDuration, config.timeout_seconds)
    yield _whole(iri, AGW.halfOpenRequests, config.half_open_requests)


def _retry(iri: str, config: RetryConfig) -> Iterator[Triple]:
    yield from _thing(iri, AGW.RetryPolicy)
    yield _whole(iri, AGW.retryAttempts, config.max_attempts)
    yield _literal(iri, AGW.backoffMultiplier, _plain(config.backoff_multiplier), XSD.decimal)
    yield _whole(iri, AGW.initialDelayMs, config.initial_delay_ms)


def _thing(iri: str, kind: str) -> Iterator[Triple]:
    yield _link(iri, RDF_TYPE, kind)


def _link(iri: str, term: str, other: str) -> Triple:
    return Triple(NamedNode(iri), NamedNode(term), NamedNode(other))


def _literal(iri: str, term: str, value: str, datatype: str) -> Triple:
    return Triple(NamedNode(iri), NamedNode(term), Literal(value, datatype=NamedNode(datatype)))


def _text(iri: str, term: str, value: str) -> Triple:
    return Triple(NamedNode(iri), NamedNode(term), Literal(value))


def _whole(iri: str, term: str, value: int) -> Triple:
    return _literal(iri, term, str(value), XSD.integer)


def _seconds(iri: str, whole: str, exact: str, value: float) -> Triple:
    """Whole seconds by the published term, fractions by the duration."""
    if value == int(value):
        return _whole(iri, whole, int(value))
    return _literal(iri, exact, f"PT{_plain(value)}S", XSD.dayTimeDuration)


def _plain(value: float) -> str:
    return f"{Decimal(repr(value)):f}"
