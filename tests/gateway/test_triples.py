from __future__ import annotations

from api_gateway_service_mesh.gateway.config import CircuitBreakerConfig, RetryConfig, RouteConfig, ServiceMeshConfig
from api_gateway_service_mesh.gateway.triples import mesh_triples, route_iri, route_triples, service_iri
from api_gateway_service_mesh.vocabulary import AGW


def said(triples: object) -> set[str]:
    return {str(triple).replace("https://ggen.ai/ontology/api-gateway#", "agw:") for triple in triples}  # type: ignore[attr-defined]


def test_names_read_like_what_they_name() -> None:
    def name(path: str, method: str = "GET") -> str:
        return route_iri(RouteConfig(path, method, "s:80"), ()).removeprefix("urn:agw:config:")

    assert name("/api/v1/products") == "get-api-v1-products"
    assert name("/users/{id}", "PUT") == "put-users-id"
    assert name("/static/*", "*") == "any-static"
    assert name("/") == "get-root"
    assert service_iri("http://Products-service:8080", ()) == "urn:agw:config:Products-service-8080"
    assert service_iri("https://[::1]:443", ()) == "urn:agw:config:https-1-443"


def test_names_that_read_the_same_are_told_apart_by_what_they_name() -> None:
    first = route_iri(RouteConfig("/a/b", backend_service="s:80"), ())
    second = route_iri(RouteConfig("/a-b", backend_service="s:80"), {first})
    assert second.startswith(first + "-") and second != first
    assert second == route_iri(RouteConfig("/a-b", backend_service="s:80"), {first})


def test_published_terms_for_whole_seconds_and_durations_for_parts() -> None:
    config = RouteConfig(
        "/a",
        "*",
        "s:80",
        circuit_breaker=CircuitBreakerConfig(timeout_seconds=0.5),
        retry_policy=RetryConfig(),
        timeout_seconds=5,
    )
    found = said(route_triples("urn:r", config, "urn:s", None))
    assert '<urn:r-timeout> <agw:timeoutSeconds> "5"^^<http://www.w3.org/2001/XMLSchema#integer>' in found
    assert any("agw:openDuration" in line and '"PT0.5S"' in line for line in found)
    assert '<urn:r-retry> <agw:retryAttempts> "3"^^<http://www.w3.org/2001/XMLSchema#integer>' in found
    assert not any("httpMethod" in line or "hasRoute" in line for line in found)


def test_a_mesh_without_its_optional_parts() -> None:
    found = said(mesh_triples(ServiceMeshConfig(sidecar_port=None)))
    assert not any(AGW.sidecarPort in line or "controlPlane" in line for line in found)
