"""Backend services, their connections, health checks and meshes."""

from __future__ import annotations

from .authorities import texts
from .case import duration, integer, reference, right, warned, wrong
from .sidecar import SIDECARS
from .subjects import CHECK, INSTANCE, MESH, OUTLIER, POOL

REGISTRY = "ex:consul a agw:ServiceRegistry"
LOOKUP = (
    REGISTRY + ' ; agw:registryType "consul" . '
    'ex:lookup a agw:ServiceDiscovery ; agw:discoveryName "users" ; agw:hasServiceRegistry ex:consul'
)

SERVICES = [
    *right(
        "address",
        *(
            f'ex:s a agw:BackendService ; agw:address "{address}" .'
            for address in (
                "users:8080",
                "http://10.0.0.1:80",
                "https://users.internal:8443",
                "[2001:db8::1]:65535",
                "my_service:1",
            )
        ),
    ),
    *wrong(
        "address",
        *(
            (f'ex:s a agw:BackendService ; agw:address "{address}" .', "agw:address must be host:port")
            for address in (
                "users",
                "users:0",
                "users:65536",
                "http://users:80/path",
                "ftp://users:21",
                ":80",
                "a b:80",
                "http://user@users:80",
            )
        ),
        ('ex:s a agw:BackendService ; agw:address "a:1" , "b:1" .', "one instance each"),
        ('ex:route agw:address "a:1" .', "belongs to an agw:BackendService"),
    ),
    *right(
        "service",
        'ex:service agw:serverName "users.internal" .',
        "ex:service agw:hasConnectionPool ex:pool . " + POOL + " .",
    ),
    *wrong("service", ('ex:service agw:serverName "https://users" .', "one host name")),
    *reference("hasConnectionPool", "ex:service", "ConnectionPool", "one ConnectionPool"),
    *reference("hasServiceDiscovery", "ex:service", "ServiceDiscovery", "one ServiceDiscovery"),
    *wrong(
        "hasServiceDiscovery",
        (f"ex:route agw:hasServiceDiscovery ex:lookup . {LOOKUP} .", "belongs to an agw:BackendService"),
        ("ex:service agw:hasServiceDiscovery ex:bare . ex:bare a agw:ServiceDiscovery .", "what it looks up, or where"),
        ('ex:route agw:discoveryName "users" .', "belong to an agw:ServiceDiscovery"),
        ('ex:route agw:registryType "dns" .', "belong to an agw:ServiceRegistry"),
        ('ex:route agw:registryTrustFile "ca.pem" .', "belong to an agw:ServiceRegistry"),
        ('ex:route agw:instancePortName "http" .', "belong to an agw:ServiceDiscovery"),
        ('ex:route agw:discoveryNamespace "shop" .', "belong to an agw:ServiceDiscovery"),
        ('ex:route agw:fetchInterval "PT1S"^^xsd:dayTimeDuration .', "belong to an agw:ServiceRegistry"),
    ),
    *right(
        "discovery",
        f'{LOOKUP} ; agw:discoveryTag "a" , "b" ; agw:recordType "SRV" .',
        f'{REGISTRY} ; agw:registryAddress "https://consul.internal:8501" ; agw:datacenter "eu1" ; '
        'agw:registryTokenRef "env:TOKEN" .',
        'ex:names a agw:ServiceRegistry ; agw:registryType "dns" ; agw:registryAddress "[::1]:53" .',
        'ex:eureka a agw:ServiceRegistry ; agw:registryType "eureka" ; agw:registryAddress "http://eureka:8761/eureka" .',
        'ex:cluster a agw:ServiceRegistry ; agw:registryType "kubernetes" .',
    ),
    *wrong(
        "discovery",
        (f'{LOOKUP} ; agw:recordType "MX" .', "agw:recordType must be"),
        (f'{LOOKUP} ; agw:discoveryTag "two words" .', "agw:discoveryTag must be"),
        (f'{LOOKUP} ; agw:discoveryName "another" .', "agw:discoveryName must be"),
        (f'{REGISTRY} ; agw:registryType "zookeeper" .', "agw:registryType must be"),
        (f'{REGISTRY} ; agw:registryAddress "ftp://x" .', "agw:registryAddress must be"),
        (f'{REGISTRY} ; agw:datacenter "" .', "agw:datacenter must be"),
        (f'{REGISTRY} ; agw:registryTokenRef "hunter2" .', "A token never stands"),
        (
            'ex:lookup a agw:ServiceDiscovery ; agw:discoveryName "users" ; agw:hasServiceRegistry ex:bare . '
            "ex:bare a agw:ServiceRegistry .",
            "what it is spoken to as",
        ),
    ),
    *reference("hasServiceRegistry", "ex:lookup a agw:ServiceDiscovery ;", "ServiceRegistry", "one ServiceRegistry"),
    *integer("instancePort", LOOKUP, 1, 65535),
    *duration("minimumTtl", LOOKUP),
    *duration("maximumTtl", LOOKUP),
    *duration("emptyAfter", LOOKUP),
    *duration("fetchInterval", REGISTRY),
    *texts("registryTrustFile", REGISTRY, ("tls/ca.pem",), ("https://a/ca.pem",), "one PEM file"),
    *texts("discoveryNamespace", LOOKUP, ("shop", "a-1"), ("My Shop", "-a", ""), "Kubernetes namespace"),
    *right("preparedQuery", f"{LOOKUP} ; agw:preparedQuery true .", f"{LOOKUP} ; agw:preparedQuery false ."),
    *wrong(
        "preparedQuery",
        (f'{LOOKUP} ; agw:preparedQuery "yes" .', "true or false"),
        ("ex:route agw:preparedQuery true .", "belong to an agw:ServiceDiscovery"),
    ),
    *texts("instancePortName", LOOKUP, ("http", "web-1"), ("8080/tcp", "Web", ""), "name of one port"),
    *reference("hasHealthCheck", "ex:service", "HealthCheck", "No such HealthCheck"),
    *reference("hasMutualTLS", "ex:service", "MutualTLS", "one MutualTLS"),
    *reference("hasServiceMesh", "ex:service", "ServiceMesh", "a ServiceMesh that is defined"),
    *right("hasSidecar", "ex:service agw:hasSidecar ex:envoy . ex:envoy a agw:Sidecar ."),
    *wrong("hasSidecar", ("ex:service agw:hasSidecar ex:envoy .", "a Sidecar that is defined")),
    *SIDECARS,
    *warned(
        "RouteSource",
        ('ex:x agw:routeSourceState "STALE" .', "live state"),
        ('ex:x agw:routeSourceFault "a" .', "live state"),
        ("ex:x agw:takenObjects 1 .", "live state"),
        ('ex:x agw:refusedObject "a" .', "live state"),
    ),
    *warned(
        "service",
        ("ex:s a agw:BackendService .", "has no address"),
        ("ex:service agw:hasInstance ex:i . ex:i a agw:ServiceInstance ; agw:address 'i:1' .", "not used"),
        ("ex:s a agw:BackendService ; agw:hasInstance ex:i . ex:i a agw:ServiceInstance .", "gets no requests"),
    ),
    *right(
        "instance",
        "ex:s a agw:BackendService ; agw:hasInstance ex:i , ex:j . ex:i a agw:ServiceInstance ; "
        "agw:address 'i:1' . ex:j a agw:ServiceInstance ; agw:address 'j:1' ; agw:instanceWeight 0 .",
    ),
    *wrong("instance", ("ex:s a agw:BackendService ; agw:hasInstance ex:i .", "No such ServiceInstance")),
    *integer("instanceWeight", "ex:i a agw:ServiceInstance ; agw:address 'i:1'", 0, 1000000),
    *integer("maxConnections", POOL, 1, 10000000),
    *integer("maxIdleConnections", POOL, 0, 10000000),
    *duration("idleTimeout", POOL),
    *integer("maxPendingRequests", POOL, 0, 10000000),
    *integer("maxRequestsPerConnection", POOL, 1, 10000000),
    *integer("maxConcurrentStreams", POOL, 1, 100000),
    *wrong("maxConcurrentStreams", ("ex:route agw:maxConcurrentStreams 5 .", "belongs to an agw:Listener")),
    *right("upstreamProtocol", *(f"ex:service agw:upstreamProtocol {p!r} ." for p in ("http/1.1", "h2", "auto"))),
    *wrong(
        "upstreamProtocol",
        ('ex:service agw:upstreamProtocol "http2" .', "must be one of"),
        ('ex:route agw:upstreamProtocol "h2" .', "belongs to an agw:BackendService"),
    ),
    *right("acceptsTrailers", "ex:service agw:acceptsTrailers true .", "ex:service agw:acceptsTrailers false ."),
    *wrong(
        "acceptsTrailers",
        ('ex:service agw:acceptsTrailers "true" .', "true or false"),
        ("ex:service agw:acceptsTrailers true , false .", "true or false"),
        ("ex:route agw:acceptsTrailers true .", "belongs to an agw:BackendService"),
    ),
    *integer("maxRequests", POOL, 1, 10000000),
    *integer("maxConcurrentRetries", POOL, 0, 10000000),
    *duration("queueTimeout", POOL),
    *wrong("connection pool", ("ex:route agw:maxRequests 5 .", "belong to an agw:ConnectionPool")),
    *warned(
        "service",
        ("ex:service agw:pendingRequests 5 .", "live state"),
        ("ex:service agw:overflowTotal 5 .", "live state"),
    ),
    *duration("connectTimeout", POOL),
    *duration("healthCheckInterval", CHECK, published=True),
    *duration("healthCheckTimeout", CHECK),
    *integer("successThreshold", CHECK, 1, 1000000),
    *integer("failureThresholdHealth", CHECK, 1, 1000000),
    *right(
        "health",
        f'{CHECK} ; agw:healthCheckPath "/health?full=1" .',
        f'{CHECK} ; agw:hasHealthEndpoint ex:e . ex:e a agw:HealthEndpoint ; agw:healthCheckPath "/h" .',
        "ex:service agw:hasHealthCheck ex:l , ex:r . ex:l a agw:LivenessProbe . ex:r a agw:ReadinessProbe .",
    ),
    *wrong(
        "health",
        (f'{CHECK} ; agw:healthCheckPath "health" .', 'starts with "/"'),
        ('ex:service agw:healthCheckPath "/health" .', "belongs to an agw:HealthCheck"),
        (f"{CHECK} ; agw:hasHealthEndpoint ex:missing .", "one HealthEndpoint"),
        ('ex:service agw:healthCheckInterval "PT1S"^^xsd:duration .', "belong to an agw:HealthCheck"),
    ),
    *right(
        "mesh",
        f'{MESH} ; agw:sidecarPort 15001 ; agw:controlPlaneEndpoint "istiod.istio-system:15012" .',
        f'{MESH} ; agw:meshNamespace "shop" .',
    ),
    *integer("sidecarPort", MESH, 1, 65535),
    *wrong(
        "mesh",
        ('ex:m a agw:ServiceMesh ; agw:meshType "Istio" .', "agw:meshType must be"),
        (f'{MESH} ; agw:controlPlaneEndpoint "istiod" .', "one host:port"),
        (f'{MESH} ; agw:meshNamespace "My Shop" .', "Kubernetes namespace"),
        ('ex:service agw:meshType "istio" .', "belong to an agw:ServiceMesh"),
    ),
    *warned("mesh", ("ex:m a agw:ServiceMesh .", "does not say what it is")),
    *right(
        "probe",
        f'{CHECK} ; agw:healthCheckProtocol "TCP" ; agw:unhealthyCheckInterval "PT1S"^^xsd:dayTimeDuration .',
        f'{CHECK} ; agw:healthCheckProtocol "GRPC" ; agw:grpcServiceName "shop.Products" .',
        f'{CHECK} ; agw:expectedStatus 204 , "200-299" ; agw:healthCheckHeader "X-Probe: agw" .',
        f'{CHECK} ; agw:healthCheckProtocol "HTTP" ; agw:expectedStatus 200 ; agw:healthCheckHost "users.internal:80" .',
    ),
    *wrong(
        "probe",
        (f'{CHECK} ; agw:healthCheckProtocol "tcp" .', "agw:healthCheckProtocol must be"),
        (f'{CHECK} ; agw:expectedStatus "ok" .', "a status or a range"),
        (f"{CHECK} ; agw:expectedStatus 600 .", "a status or a range"),
        (f'{CHECK} ; agw:healthCheckHeader "X-Probe" .', "a whole header field"),
        (f'{CHECK} ; agw:healthCheckHeader "X-A: b\\r\\nX-C: d" .', "a whole header field"),
        (f'{CHECK} ; agw:healthCheckHost "http://users" .', "one host name"),
        (f'{CHECK} ; agw:healthCheckProtocol "GRPC" ; agw:grpcServiceName "a b" .', "name of a gRPC service"),
        ("ex:service agw:expectedStatus 200 .", "belong to an agw:HealthCheck"),
    ),
    *warned(
        "probe",
        (f'{CHECK} ; agw:healthCheckProtocol "TCP" ; agw:expectedStatus 200 .', "only for checks by HTTP"),
        (f'{CHECK} ; agw:grpcServiceName "shop.Products" .', "counts only with"),
        ("ex:service agw:failingProbe 'liveness' .", "live state"),
    ),
    *duration("unhealthyCheckInterval", CHECK),
    *integer("healthCheckJitter", CHECK, 0, 100),
    *reference("hasOutlierDetection", "ex:service", "OutlierDetection", "one OutlierDetection"),
    *integer("consecutiveErrors", OUTLIER, 0, 1000000),
    *integer("consecutiveGatewayErrors", OUTLIER, 0, 1000000),
    *duration("outlierInterval", OUTLIER),
    *duration("baseEjectionTime", OUTLIER),
    *duration("maximumEjectionTime", OUTLIER),
    *integer("maximumEjectionPercent", OUTLIER, 0, 100),
    *integer("failurePercentage", OUTLIER, 1, 100),
    *integer("outlierMinimumHosts", OUTLIER, 1, 1000000),
    *integer("outlierMinimumRequests", OUTLIER, 1, 1000000),
    *right("outlier", f"{OUTLIER} ; agw:successRateFactor 1.9 .", f"{OUTLIER} ; agw:successRateFactor 2 ."),
    *wrong(
        "outlier",
        (f"{OUTLIER} ; agw:successRateFactor 0 .", "one number from 0.1"),
        ("ex:service agw:consecutiveErrors 5 .", "belong to an agw:OutlierDetection"),
        ("ex:other agw:hasOutlierDetection ex:o . ex:o a agw:OutlierDetection .", "belongs to an agw:BackendService"),
    ),
    *warned(
        "outlier",
        ("ex:service agw:ejectionsTotal 1 .", "live state"),
        ('ex:service agw:ejectedUntil "2026-01-01T00:00:00Z"^^xsd:dateTime .', "live state"),
    ),
    *integer("failoverPriority", INSTANCE, 0, 100),
    *right(
        "subset",
        f'{INSTANCE} ; agw:zone "a" ; agw:instanceLabel "version=v2" , "fast" . ex:route agw:selectsLabel "version=v2" .',
        'ex:gateway agw:zone "a" .',
    ),
    *wrong(
        "subset",
        (f'{INSTANCE} ; agw:zone "a b" .', "one name without spaces"),
        (f'{INSTANCE} ; agw:instanceLabel "a b" .', "text without spaces"),
        ('ex:route agw:selectsLabel "a b" .', "as instances have it"),
        ('ex:service agw:zone "a" .', "belongs to an agw:ServiceInstance or to the agw:ApiGateway"),
        ('ex:service agw:selectsLabel "a" .', "belongs to an agw:Route"),
        ('ex:route agw:instanceLabel "a" .', "belong to an agw:ServiceInstance"),
    ),
]
