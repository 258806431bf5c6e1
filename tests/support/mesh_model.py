"""Models for manifest tests: a shop that uses every policy, and a published-style single route."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Breaker,
    Certificate,
    ConnectionPool,
    Endpoint,
    HealthCheck,
    KeyKind,
    Listener,
    Mesh,
    MeshType,
    MtlsMode,
    MutualTls,
    RateLimit,
    RequestKey,
    Retry,
    RetryCondition,
    ServiceMesh,
    SplitTarget,
    Timeout,
    Upstream,
    UpstreamTls,
)
from tests.support.routes import EX, header, mesh, parameter, route


def published() -> Mesh:
    """One route with a breaker, retries and a timeout in an Istio mesh, as people write first."""
    products = Upstream(
        EX + "products-service",
        "ex:products-service",
        (Endpoint(EX + "products-service", "products-service", 8080),),
        mtls_mode=MtlsMode.STRICT,
        in_mesh=True,
        pool=ConnectionPool(EX + "pool", 100),
    )
    return mesh(
        route(
            "products",
            "/api/v1/products/*",
            upstream=products.iri,
            breaker=Breaker(EX + "breaker", 5, 30.0),
            retry=Retry(EX + "retry", 3),
            timeout=Timeout(EX + "timeout", 10.0, 2.0),
        ),
        upstreams=(products,),
        listeners=(Listener(EX + "listener", 8080),),
        service_mesh=ServiceMesh(
            EX + "mesh",
            MeshType.ISTIO,
            MutualTls(EX + "mtls", MtlsMode.STRICT),
            15001,
            "istiod.istio-system:15012",
            "shop",
        ),
    )


def shop() -> Mesh:
    """Hosts, all path kinds, splits, foreign hosts, addresses, TLS both ways, and literals meant to break YAML."""
    certificate = Certificate(EX + "client-cert", "/certs/c.pem", "file:/certs/k.pem", "/certs/ca.pem")
    upstreams = (
        Upstream(EX + "users", "ex:users", (Endpoint(EX + "users", "users.shop.svc.cluster.local", 8080),)),
        Upstream(
            EX + "orders-v1", "ex:orders-v1", (Endpoint(EX + "orders-v1", "orders", 80),), mtls_mode=MtlsMode.STRICT
        ),
        Upstream(
            EX + "orders-v2", "ex:orders-v2", (Endpoint(EX + "orders-v2", "orders", 81),), mtls_mode=MtlsMode.DISABLE
        ),
        Upstream(
            EX + "search",
            "ex:search",
            (
                Endpoint(EX + "s1", "10.0.0.1", 9200, weight=3),
                Endpoint(EX + "s2", "2001:db8::1", 9201),
                Endpoint(EX + "s3", "10.0.0.3", 9200, weight=0),
            ),
            health=HealthCheck(EX + "health"),
        ),
        Upstream(
            EX + "payments",
            "ex:payments",
            (Endpoint(EX + "payments", "api.payments.example", 443, tls=True),),
            tls=UpstreamTls(certificate, "payments.example"),
        ),
        Upstream(EX + "ghost", "ex:ghost"),
    )
    read = (RetryCondition.TIMEOUT, RetryCondition.CONNECT_FAILURE)
    return mesh(
        route("me", "/users/me", methods=("GET", "PATCH"), upstream=EX + "users", hosts=("shop.example.com",),
              rate_limits=(RateLimit(EX + "limit", 5, 10, (RequestKey(KeyKind.CLIENT_ADDRESS),)),),
              retry=Retry(EX + "retry", 2, 0.1, 3.0, conditions=frozenset(read))),
        route("user", "/users/{id}", upstream=EX + "users", hosts=("shop.example.com", "*.example.com"),
              headers=(header("x-odd", '1e3: "#{}'), header("x-any", "", "Present")),
              breaker=Breaker(EX + "breaker", 3, 2.5), timeout=Timeout(EX + "timeout", None, 0.5)),
        route("orders", "/orders/*", hosts=("shop.example.com",),
              splits=(SplitTarget(EX + "sp1", EX + "orders-v1", 90), SplitTarget(EX + "sp2", EX + "orders-v2", 10)),
              query=(parameter("v", "y"), parameter("w", "", "Present"))),
        route("search", r"/search/v[12](/.*)?", "RegularExpression", upstream=EX + "search",
              balancer=Balancer(EX + "lb", Algorithm.CONSISTENT_HASH, RequestKey(KeyKind.HEADER, "x-user"))),
        route("pay", "/pay/{order}/*", "Prefix", methods=("POST",), upstream=EX + "payments"),
        route("get", "/thing", methods=("GET",), upstream=EX + "users", priority=1),
        route("head", "/thing", methods=("HEAD",), upstream=EX + "search"),
        route("ghost", "/ghost", upstream=EX + "ghost"),
        route("all", "/*", upstream=EX + "users"),
        route("dead", "/zzz.*", "RegularExpression", upstream=EX + "users"),
        upstreams=upstreams,
        listeners=(
            Listener(EX + "plain", 80),
            Listener(EX + "secure", 8443, certificate=Certificate(EX + "server-cert", "/s.pem", "file:/k.pem"),
                     mtls_mode=MtlsMode.PERMISSIVE),
        ),
    )  # fmt: skip
