"""The quick start in Python: the route of gateway.ttl, written by the published API."""

from api_gateway_service_mesh import ApiGateway, RouteConfig, ServiceMeshConfig

gateway = ApiGateway(
    ServiceMeshConfig(
        mesh_type="istio",
        mtls_mode="STRICT",
        sidecar_port=15001,
        control_plane_endpoint="istiod.istio-system:15012",
    )
)
gateway.add_route(
    RouteConfig(
        path="/api/v1/products",
        method="GET",
        backend_service="products-service:8080",
        rate_limit_rps=200,
        timeout_seconds=5,
    )
)

if __name__ == "__main__":
    gateway.run(host="0.0.0.0", port=8080)
