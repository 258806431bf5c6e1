"""The closed list of terms: every IRI the code may name.

`AGW.routePath` is the full IRI as a plain `str`; a name that the ontology does not define raises, and mypy refuses it.
``tests/test_sync.py`` holds this list and ``ontology/*.ttl`` together, both ways.
"""

# ruff: noqa: N815 - attributes are named as the ontology names its terms

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NoReturn

__all__ = [
    "AGW", "GRAPH_CONFIG", "GRAPH_HISTORY", "GRAPH_INFERRED", "GRAPH_ONTOLOGY", "GRAPH_RUNTIME", "GRAPH_SHAPES",
    "IMPLIED_GATEWAY", "NAMESPACE", "ONTOLOGY", "OWL", "PREFIXES", "RDF", "RDFS", "RDF_TYPE", "SH",
    "SKOS_EXAMPLE", "TERMS", "XSD",
]  # fmt: skip

ONTOLOGY: Final = "https://ggen.ai/ontology/api-gateway"
NAMESPACE: Final = "https://ggen.ai/ontology/api-gateway#"

GRAPH_CONFIG: Final = "urn:agw:graph:config"  # what people wrote
GRAPH_INFERRED: Final = "urn:agw:graph:inferred"  # what follows from it
GRAPH_ONTOLOGY: Final = "urn:agw:graph:ontology"
GRAPH_SHAPES: Final = "urn:agw:graph:shapes"
GRAPH_RUNTIME: Final = "urn:agw:graph:runtime"  # live state
GRAPH_HISTORY: Final = "urn:agw:graph:history"  # revisions

IMPLIED_GATEWAY: Final = "urn:agw:gateway"  # serves all routes when the graph has no agw:ApiGateway

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
_OWL: Final = "http://www.w3.org/2002/07/owl#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_SH: Final = "http://www.w3.org/ns/shacl#"
_SKOS: Final = "http://www.w3.org/2004/02/skos/core#"


class _Closed(type):
    """A class of constants: unknown names raise with the nearest known one, and nothing can be set."""

    if not TYPE_CHECKING:  # mypy must go on refusing unknown names

        def __getattr__(cls, name: str) -> NoReturn:
            known = [term for term in vars(cls) if not term.startswith("_")]
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise AttributeError(f"{cls.__name__} has no term {name}{hint}")

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{cls.__name__} is closed: {name} cannot be set")


class AGW(metaclass=_Closed):
    """The agw ontology, by stem."""

    # agw
    termRole: Final = f"{NAMESPACE}termRole"
    # gateway
    ApiGateway: Final = f"{NAMESPACE}ApiGateway"
    hasRoute: Final = f"{NAMESPACE}hasRoute"
    trustedProxy: Final = f"{NAMESPACE}trustedProxy"
    configurationRevision: Final = f"{NAMESPACE}configurationRevision"
    loadedAt: Final = f"{NAMESPACE}loadedAt"
    workerCount: Final = f"{NAMESPACE}workerCount"
    # listener
    Listener: Final = f"{NAMESPACE}Listener"
    hasListener: Final = f"{NAMESPACE}hasListener"
    port: Final = f"{NAMESPACE}port"
    bindAddress: Final = f"{NAMESPACE}bindAddress"
    maxRequestLineBytes: Final = f"{NAMESPACE}maxRequestLineBytes"
    maxHeaderBytes: Final = f"{NAMESPACE}maxHeaderBytes"
    maxHeaderCount: Final = f"{NAMESPACE}maxHeaderCount"
    headerTimeout: Final = f"{NAMESPACE}headerTimeout"
    idleTimeout: Final = f"{NAMESPACE}idleTimeout"
    maxConnections: Final = f"{NAMESPACE}maxConnections"
    # route
    Route: Final = f"{NAMESPACE}Route"
    routePath: Final = f"{NAMESPACE}routePath"
    httpMethod: Final = f"{NAMESPACE}httpMethod"
    hostname: Final = f"{NAMESPACE}hostname"
    hasBackendService: Final = f"{NAMESPACE}hasBackendService"
    requestTotal: Final = f"{NAMESPACE}requestTotal"
    errorTotal: Final = f"{NAMESPACE}errorTotal"
    # match
    pathMatchType: Final = f"{NAMESPACE}pathMatchType"
    priority: Final = f"{NAMESPACE}priority"
    matchesHeader: Final = f"{NAMESPACE}matchesHeader"
    HeaderMatch: Final = f"{NAMESPACE}HeaderMatch"
    headerName: Final = f"{NAMESPACE}headerName"
    headerValue: Final = f"{NAMESPACE}headerValue"
    matchesQueryParameter: Final = f"{NAMESPACE}matchesQueryParameter"
    QueryParameterMatch: Final = f"{NAMESPACE}QueryParameterMatch"
    parameterName: Final = f"{NAMESPACE}parameterName"
    parameterValue: Final = f"{NAMESPACE}parameterValue"
    valueMatchType: Final = f"{NAMESPACE}valueMatchType"
    CookieMatch: Final = f"{NAMESPACE}CookieMatch"
    cookieName: Final = f"{NAMESPACE}cookieName"
    cookieValue: Final = f"{NAMESPACE}cookieValue"
    # upstream
    BackendService: Final = f"{NAMESPACE}BackendService"
    UpstreamCluster: Final = f"{NAMESPACE}UpstreamCluster"
    address: Final = f"{NAMESPACE}address"
    serverName: Final = f"{NAMESPACE}serverName"
    hasConnectionPool: Final = f"{NAMESPACE}hasConnectionPool"
    ConnectionPool: Final = f"{NAMESPACE}ConnectionPool"
    maxIdleConnections: Final = f"{NAMESPACE}maxIdleConnections"
    connectTimeout: Final = f"{NAMESPACE}connectTimeout"
    maxPendingRequests: Final = f"{NAMESPACE}maxPendingRequests"
    queueTimeout: Final = f"{NAMESPACE}queueTimeout"
    maxRequestsPerConnection: Final = f"{NAMESPACE}maxRequestsPerConnection"
    maxRequests: Final = f"{NAMESPACE}maxRequests"
    maxConcurrentRetries: Final = f"{NAMESPACE}maxConcurrentRetries"
    pendingRequests: Final = f"{NAMESPACE}pendingRequests"
    overflowTotal: Final = f"{NAMESPACE}overflowTotal"
    # endpoint
    ServiceInstance: Final = f"{NAMESPACE}ServiceInstance"
    hasInstance: Final = f"{NAMESPACE}hasInstance"
    instanceWeight: Final = f"{NAMESPACE}instanceWeight"
    activeRequests: Final = f"{NAMESPACE}activeRequests"
    zone: Final = f"{NAMESPACE}zone"
    failoverPriority: Final = f"{NAMESPACE}failoverPriority"
    instanceLabel: Final = f"{NAMESPACE}instanceLabel"
    selectsLabel: Final = f"{NAMESPACE}selectsLabel"
    # balancer
    LoadBalancer: Final = f"{NAMESPACE}LoadBalancer"
    hasLoadBalancer: Final = f"{NAMESPACE}hasLoadBalancer"
    balancingAlgorithm: Final = f"{NAMESPACE}balancingAlgorithm"
    hashKey: Final = f"{NAMESPACE}hashKey"
    hashAlgorithm: Final = f"{NAMESPACE}hashAlgorithm"
    latencyDecay: Final = f"{NAMESPACE}latencyDecay"
    slowStartWindow: Final = f"{NAMESPACE}slowStartWindow"
    slowStartAggression: Final = f"{NAMESPACE}slowStartAggression"
    panicThreshold: Final = f"{NAMESPACE}panicThreshold"
    overprovisioningFactor: Final = f"{NAMESPACE}overprovisioningFactor"
    stickyCookie: Final = f"{NAMESPACE}stickyCookie"
    stickyCookieKeyRef: Final = f"{NAMESPACE}stickyCookieKeyRef"
    stickyCookieLifetime: Final = f"{NAMESPACE}stickyCookieLifetime"
    stickyCookiePath: Final = f"{NAMESPACE}stickyCookiePath"
    stickyCookieSameSite: Final = f"{NAMESPACE}stickyCookieSameSite"
    # rate_limit
    RateLimiter: Final = f"{NAMESPACE}RateLimiter"
    ThrottlingPolicy: Final = f"{NAMESPACE}ThrottlingPolicy"
    hasRateLimiter: Final = f"{NAMESPACE}hasRateLimiter"
    requestsPerSecond: Final = f"{NAMESPACE}requestsPerSecond"
    burstSize: Final = f"{NAMESPACE}burstSize"
    limitKey: Final = f"{NAMESPACE}limitKey"
    rejectedTotal: Final = f"{NAMESPACE}rejectedTotal"
    admittedTotal: Final = f"{NAMESPACE}admittedTotal"
    limitAlgorithm: Final = f"{NAMESPACE}limitAlgorithm"
    quota: Final = f"{NAMESPACE}quota"
    quotaPeriod: Final = f"{NAMESPACE}quotaPeriod"
    requestCost: Final = f"{NAMESPACE}requestCost"
    keyCapacity: Final = f"{NAMESPACE}keyCapacity"
    ipv6PrefixLength: Final = f"{NAMESPACE}ipv6PrefixLength"
    shadowMode: Final = f"{NAMESPACE}shadowMode"
    rateLimitFields: Final = f"{NAMESPACE}rateLimitFields"
    sharedThrough: Final = f"{NAMESPACE}sharedThrough"
    failureMode: Final = f"{NAMESPACE}failureMode"
    shadowedTotal: Final = f"{NAMESPACE}shadowedTotal"
    evictedKeysTotal: Final = f"{NAMESPACE}evictedKeysTotal"
    fallbackTotal: Final = f"{NAMESPACE}fallbackTotal"
    # refusal
    RefusalKind: Final = f"{NAMESPACE}RefusalKind"
    refusedTotal: Final = f"{NAMESPACE}refusedTotal"
    responseFlag: Final = f"{NAMESPACE}responseFlag"
    refusalMeaning: Final = f"{NAMESPACE}refusalMeaning"
    # redis
    RedisStore: Final = f"{NAMESPACE}RedisStore"
    storeAddress: Final = f"{NAMESPACE}storeAddress"
    storeDatabase: Final = f"{NAMESPACE}storeDatabase"
    storeUser: Final = f"{NAMESPACE}storeUser"
    storePasswordRef: Final = f"{NAMESPACE}storePasswordRef"
    storeTls: Final = f"{NAMESPACE}storeTls"
    storeTrustBundleFile: Final = f"{NAMESPACE}storeTrustBundleFile"
    storeTimeout: Final = f"{NAMESPACE}storeTimeout"
    storeState: Final = f"{NAMESPACE}storeState"
    # concurrency
    AdaptiveConcurrency: Final = f"{NAMESPACE}AdaptiveConcurrency"
    hasAdaptiveConcurrency: Final = f"{NAMESPACE}hasAdaptiveConcurrency"
    minimumConcurrency: Final = f"{NAMESPACE}minimumConcurrency"
    maximumConcurrency: Final = f"{NAMESPACE}maximumConcurrency"
    latencyTolerance: Final = f"{NAMESPACE}latencyTolerance"
    baselinePeriod: Final = f"{NAMESPACE}baselinePeriod"
    requestPriority: Final = f"{NAMESPACE}requestPriority"
    concurrencyLimit: Final = f"{NAMESPACE}concurrencyLimit"
    concurrencyInUse: Final = f"{NAMESPACE}concurrencyInUse"
    shedTotal: Final = f"{NAMESPACE}shedTotal"
    # overload
    OverloadGuard: Final = f"{NAMESPACE}OverloadGuard"
    hasOverloadGuard: Final = f"{NAMESPACE}hasOverloadGuard"
    maximumLoopLag: Final = f"{NAMESPACE}maximumLoopLag"
    maximumMemoryShare: Final = f"{NAMESPACE}maximumMemoryShare"
    maximumActiveRequests: Final = f"{NAMESPACE}maximumActiveRequests"
    maximumClientConnections: Final = f"{NAMESPACE}maximumClientConnections"
    overloadState: Final = f"{NAMESPACE}overloadState"
    overloadPressure: Final = f"{NAMESPACE}overloadPressure"
    # breaker
    CircuitBreaker: Final = f"{NAMESPACE}CircuitBreaker"
    hasCircuitBreaker: Final = f"{NAMESPACE}hasCircuitBreaker"
    failureThreshold: Final = f"{NAMESPACE}failureThreshold"
    openDuration: Final = f"{NAMESPACE}openDuration"
    halfOpenRequests: Final = f"{NAMESPACE}halfOpenRequests"
    failureRateThreshold: Final = f"{NAMESPACE}failureRateThreshold"
    slowCallDuration: Final = f"{NAMESPACE}slowCallDuration"
    slowCallRateThreshold: Final = f"{NAMESPACE}slowCallRateThreshold"
    breakerWindow: Final = f"{NAMESPACE}breakerWindow"
    minimumRequests: Final = f"{NAMESPACE}minimumRequests"
    failureStatus: Final = f"{NAMESPACE}failureStatus"
    openDurationMultiplier: Final = f"{NAMESPACE}openDurationMultiplier"
    maximumOpenDuration: Final = f"{NAMESPACE}maximumOpenDuration"
    breakerScope: Final = f"{NAMESPACE}breakerScope"
    breakerState: Final = f"{NAMESPACE}breakerState"
    openedTotal: Final = f"{NAMESPACE}openedTotal"
    # retry
    RetryPolicy: Final = f"{NAMESPACE}RetryPolicy"
    hasRetryPolicy: Final = f"{NAMESPACE}hasRetryPolicy"
    retryAttempts: Final = f"{NAMESPACE}retryAttempts"
    backoffMultiplier: Final = f"{NAMESPACE}backoffMultiplier"
    initialDelayMs: Final = f"{NAMESPACE}initialDelayMs"
    maximumDelayMs: Final = f"{NAMESPACE}maximumDelayMs"
    retryOn: Final = f"{NAMESPACE}retryOn"
    retryNonIdempotent: Final = f"{NAMESPACE}retryNonIdempotent"
    retryStatus: Final = f"{NAMESPACE}retryStatus"
    honourRetryAfter: Final = f"{NAMESPACE}honourRetryAfter"
    retryBudgetPercent: Final = f"{NAMESPACE}retryBudgetPercent"
    retryBudgetMinimum: Final = f"{NAMESPACE}retryBudgetMinimum"
    retryIdempotencyKey: Final = f"{NAMESPACE}retryIdempotencyKey"
    maximumReplayBytes: Final = f"{NAMESPACE}maximumReplayBytes"
    retriedTotal: Final = f"{NAMESPACE}retriedTotal"
    retriesRefusedTotal: Final = f"{NAMESPACE}retriesRefusedTotal"
    # hedge
    Hedging: Final = f"{NAMESPACE}Hedging"
    hasHedging: Final = f"{NAMESPACE}hasHedging"
    hedgeDelay: Final = f"{NAMESPACE}hedgeDelay"
    hedgeNonIdempotent: Final = f"{NAMESPACE}hedgeNonIdempotent"
    hedgedTotal: Final = f"{NAMESPACE}hedgedTotal"
    hedgeWonTotal: Final = f"{NAMESPACE}hedgeWonTotal"
    # timeout
    Timeout: Final = f"{NAMESPACE}Timeout"
    hasTimeout: Final = f"{NAMESPACE}hasTimeout"
    timeoutSeconds: Final = f"{NAMESPACE}timeoutSeconds"
    timeoutDuration: Final = f"{NAMESPACE}timeoutDuration"
    perAttemptTimeout: Final = f"{NAMESPACE}perAttemptTimeout"
    deadlineHeader: Final = f"{NAMESPACE}deadlineHeader"
    deadlineTrust: Final = f"{NAMESPACE}deadlineTrust"
    # split
    TrafficSplit: Final = f"{NAMESPACE}TrafficSplit"
    CanaryDeployment: Final = f"{NAMESPACE}CanaryDeployment"
    BlueGreenDeployment: Final = f"{NAMESPACE}BlueGreenDeployment"
    hasTrafficSplit: Final = f"{NAMESPACE}hasTrafficSplit"
    weight: Final = f"{NAMESPACE}weight"
    targetService: Final = f"{NAMESPACE}targetService"
    active: Final = f"{NAMESPACE}active"
    splitKey: Final = f"{NAMESPACE}splitKey"
    splitCookie: Final = f"{NAMESPACE}splitCookie"
    steeredBy: Final = f"{NAMESPACE}steeredBy"
    currentWeight: Final = f"{NAMESPACE}currentWeight"
    servedTotal: Final = f"{NAMESPACE}servedTotal"
    failedTotal: Final = f"{NAMESPACE}failedTotal"
    latencyP95: Final = f"{NAMESPACE}latencyP95"
    # inheritance
    inheritedBy: Final = f"{NAMESPACE}inheritedBy"
    guarantee: Final = f"{NAMESPACE}guarantee"
    withoutPolicy: Final = f"{NAMESPACE}withoutPolicy"
    VirtualService: Final = f"{NAMESPACE}VirtualService"
    inVirtualService: Final = f"{NAMESPACE}inVirtualService"
    withinVirtualService: Final = f"{NAMESPACE}withinVirtualService"
    # exemption
    Exemption: Final = f"{NAMESPACE}Exemption"
    exempts: Final = f"{NAMESPACE}exempts"
    exemptsFrom: Final = f"{NAMESPACE}exemptsFrom"
    exemptionReason: Final = f"{NAMESPACE}exemptionReason"
    exemptionOwner: Final = f"{NAMESPACE}exemptionOwner"
    validUntil: Final = f"{NAMESPACE}validUntil"
    # mtls
    MutualTLS: Final = f"{NAMESPACE}MutualTLS"
    PeerAuthentication: Final = f"{NAMESPACE}PeerAuthentication"
    hasMutualTLS: Final = f"{NAMESPACE}hasMutualTLS"
    mtlsMode: Final = f"{NAMESPACE}mtlsMode"
    # certificate
    Certificate: Final = f"{NAMESPACE}Certificate"
    CertificateAuthority: Final = f"{NAMESPACE}CertificateAuthority"
    hasCertificate: Final = f"{NAMESPACE}hasCertificate"
    certificateFile: Final = f"{NAMESPACE}certificateFile"
    privateKeyRef: Final = f"{NAMESPACE}privateKeyRef"
    trustBundleFile: Final = f"{NAMESPACE}trustBundleFile"
    rotationPeriod: Final = f"{NAMESPACE}rotationPeriod"
    certificateExpiry: Final = f"{NAMESPACE}certificateExpiry"
    certificateDaysLeft: Final = f"{NAMESPACE}certificateDaysLeft"
    # secret
    secretRef: Final = f"{NAMESPACE}secretRef"
    # health
    HealthCheck: Final = f"{NAMESPACE}HealthCheck"
    LivenessProbe: Final = f"{NAMESPACE}LivenessProbe"
    ReadinessProbe: Final = f"{NAMESPACE}ReadinessProbe"
    StartupProbe: Final = f"{NAMESPACE}StartupProbe"
    HealthEndpoint: Final = f"{NAMESPACE}HealthEndpoint"
    hasHealthCheck: Final = f"{NAMESPACE}hasHealthCheck"
    hasHealthEndpoint: Final = f"{NAMESPACE}hasHealthEndpoint"
    healthCheckInterval: Final = f"{NAMESPACE}healthCheckInterval"
    healthCheckPath: Final = f"{NAMESPACE}healthCheckPath"
    healthCheckTimeout: Final = f"{NAMESPACE}healthCheckTimeout"
    successThreshold: Final = f"{NAMESPACE}successThreshold"
    failureThresholdHealth: Final = f"{NAMESPACE}failureThresholdHealth"
    healthState: Final = f"{NAMESPACE}healthState"
    healthCheckProtocol: Final = f"{NAMESPACE}healthCheckProtocol"
    expectedStatus: Final = f"{NAMESPACE}expectedStatus"
    healthCheckHeader: Final = f"{NAMESPACE}healthCheckHeader"
    healthCheckHost: Final = f"{NAMESPACE}healthCheckHost"
    unhealthyCheckInterval: Final = f"{NAMESPACE}unhealthyCheckInterval"
    healthCheckJitter: Final = f"{NAMESPACE}healthCheckJitter"
    grpcServiceName: Final = f"{NAMESPACE}grpcServiceName"
    failingProbe: Final = f"{NAMESPACE}failingProbe"
    # outlier
    OutlierDetection: Final = f"{NAMESPACE}OutlierDetection"
    hasOutlierDetection: Final = f"{NAMESPACE}hasOutlierDetection"
    consecutiveErrors: Final = f"{NAMESPACE}consecutiveErrors"
    consecutiveGatewayErrors: Final = f"{NAMESPACE}consecutiveGatewayErrors"
    outlierInterval: Final = f"{NAMESPACE}outlierInterval"
    baseEjectionTime: Final = f"{NAMESPACE}baseEjectionTime"
    maximumEjectionTime: Final = f"{NAMESPACE}maximumEjectionTime"
    maximumEjectionPercent: Final = f"{NAMESPACE}maximumEjectionPercent"
    successRateFactor: Final = f"{NAMESPACE}successRateFactor"
    failurePercentage: Final = f"{NAMESPACE}failurePercentage"
    outlierMinimumHosts: Final = f"{NAMESPACE}outlierMinimumHosts"
    outlierMinimumRequests: Final = f"{NAMESPACE}outlierMinimumRequests"
    ejectedUntil: Final = f"{NAMESPACE}ejectedUntil"
    ejectionsTotal: Final = f"{NAMESPACE}ejectionsTotal"
    # mesh
    ServiceMesh: Final = f"{NAMESPACE}ServiceMesh"
    hasServiceMesh: Final = f"{NAMESPACE}hasServiceMesh"
    meshType: Final = f"{NAMESPACE}meshType"
    sidecarPort: Final = f"{NAMESPACE}sidecarPort"
    controlPlaneEndpoint: Final = f"{NAMESPACE}controlPlaneEndpoint"
    meshNamespace: Final = f"{NAMESPACE}meshNamespace"
    Sidecar: Final = f"{NAMESPACE}Sidecar"
    hasSidecar: Final = f"{NAMESPACE}hasSidecar"
    ControlPlane: Final = f"{NAMESPACE}ControlPlane"
    DataPlane: Final = f"{NAMESPACE}DataPlane"
    DestinationRule: Final = f"{NAMESPACE}DestinationRule"
    ServiceEntry: Final = f"{NAMESPACE}ServiceEntry"
    Gateway: Final = f"{NAMESPACE}Gateway"
    # discovery
    ServiceDiscovery: Final = f"{NAMESPACE}ServiceDiscovery"
    ServiceRegistry: Final = f"{NAMESPACE}ServiceRegistry"
    # authorization
    hasAuthentication: Final = f"{NAMESPACE}hasAuthentication"
    AuthorizationPolicy: Final = f"{NAMESPACE}AuthorizationPolicy"
    # jwt
    JWTAuthentication: Final = f"{NAMESPACE}JWTAuthentication"
    issuer: Final = f"{NAMESPACE}issuer"
    audience: Final = f"{NAMESPACE}audience"
    jwksUri: Final = f"{NAMESPACE}jwksUri"
    signingAlgorithm: Final = f"{NAMESPACE}signingAlgorithm"
    clockSkew: Final = f"{NAMESPACE}clockSkew"
    requiredScope: Final = f"{NAMESPACE}requiredScope"
    requiredClaim: Final = f"{NAMESPACE}requiredClaim"
    forwardClaim: Final = f"{NAMESPACE}forwardClaim"
    # api_key
    ApiKey: Final = f"{NAMESPACE}ApiKey"
    keyHash: Final = f"{NAMESPACE}keyHash"
    keyHeader: Final = f"{NAMESPACE}keyHeader"
    keyQueryParameter: Final = f"{NAMESPACE}keyQueryParameter"
    keyOwner: Final = f"{NAMESPACE}keyOwner"
    keyExpiry: Final = f"{NAMESPACE}keyExpiry"
    # oauth2
    OAuth2: Final = f"{NAMESPACE}OAuth2"
    # tracing
    DistributedTracing: Final = f"{NAMESPACE}DistributedTracing"
    TracingContext: Final = f"{NAMESPACE}TracingContext"
    Span: Final = f"{NAMESPACE}Span"
    traceId: Final = f"{NAMESPACE}traceId"
    spanId: Final = f"{NAMESPACE}spanId"
    parentSpanId: Final = f"{NAMESPACE}parentSpanId"
    samplingRate: Final = f"{NAMESPACE}samplingRate"
    # metrics
    Metrics: Final = f"{NAMESPACE}Metrics"
    # access_log
    AccessLog: Final = f"{NAMESPACE}AccessLog"
    accessLogEnabled: Final = f"{NAMESPACE}accessLogEnabled"
    # audit
    AuditLog: Final = f"{NAMESPACE}AuditLog"
    # canary
    CanaryStep: Final = f"{NAMESPACE}CanaryStep"
    hasCanaryStep: Final = f"{NAMESPACE}hasCanaryStep"
    stepWeight: Final = f"{NAMESPACE}stepWeight"
    stepDuration: Final = f"{NAMESPACE}stepDuration"
    minimumStepRequests: Final = f"{NAMESPACE}minimumStepRequests"
    maximumErrorRate: Final = f"{NAMESPACE}maximumErrorRate"
    maximumErrorIncrease: Final = f"{NAMESPACE}maximumErrorIncrease"
    maximumLatency: Final = f"{NAMESPACE}maximumLatency"
    maximumLatencyRatio: Final = f"{NAMESPACE}maximumLatencyRatio"
    latencyPercentile: Final = f"{NAMESPACE}latencyPercentile"
    paused: Final = f"{NAMESPACE}paused"
    rolloutName: Final = f"{NAMESPACE}rolloutName"
    canaryPhase: Final = f"{NAMESPACE}canaryPhase"
    currentStep: Final = f"{NAMESPACE}currentStep"
    lastDecision: Final = f"{NAMESPACE}lastDecision"
    CanaryDecision: Final = f"{NAMESPACE}CanaryDecision"
    decidesOn: Final = f"{NAMESPACE}decidesOn"
    decisionOutcome: Final = f"{NAMESPACE}decisionOutcome"
    decisionReason: Final = f"{NAMESPACE}decisionReason"
    weightBefore: Final = f"{NAMESPACE}weightBefore"
    weightAfter: Final = f"{NAMESPACE}weightAfter"
    canaryRequests: Final = f"{NAMESPACE}canaryRequests"
    canaryErrorRate: Final = f"{NAMESPACE}canaryErrorRate"
    canaryLatency: Final = f"{NAMESPACE}canaryLatency"
    stableRequests: Final = f"{NAMESPACE}stableRequests"
    stableErrorRate: Final = f"{NAMESPACE}stableErrorRate"
    stableLatency: Final = f"{NAMESPACE}stableLatency"
    # redirect
    Redirect: Final = f"{NAMESPACE}Redirect"
    hasRedirect: Final = f"{NAMESPACE}hasRedirect"
    redirectScheme: Final = f"{NAMESPACE}redirectScheme"
    redirectHost: Final = f"{NAMESPACE}redirectHost"
    redirectPort: Final = f"{NAMESPACE}redirectPort"
    redirectStatus: Final = f"{NAMESPACE}redirectStatus"
    replaceFullPath: Final = f"{NAMESPACE}replaceFullPath"
    replacePrefixMatch: Final = f"{NAMESPACE}replacePrefixMatch"
    redirectedTotal: Final = f"{NAMESPACE}redirectedTotal"
    # rewrite
    Rewrite: Final = f"{NAMESPACE}Rewrite"
    hasRewrite: Final = f"{NAMESPACE}hasRewrite"
    rewriteHost: Final = f"{NAMESPACE}rewriteHost"
    rewritePattern: Final = f"{NAMESPACE}rewritePattern"
    rewriteSubstitution: Final = f"{NAMESPACE}rewriteSubstitution"
    rewrittenTotal: Final = f"{NAMESPACE}rewrittenTotal"
    # direct
    DirectResponse: Final = f"{NAMESPACE}DirectResponse"
    hasDirectResponse: Final = f"{NAMESPACE}hasDirectResponse"
    responseStatus: Final = f"{NAMESPACE}responseStatus"
    responseBody: Final = f"{NAMESPACE}responseBody"
    responseContentType: Final = f"{NAMESPACE}responseContentType"
    responseField: Final = f"{NAMESPACE}responseField"
    answeredTotal: Final = f"{NAMESPACE}answeredTotal"
    # maintenance
    MaintenanceMode: Final = f"{NAMESPACE}MaintenanceMode"
    hasMaintenance: Final = f"{NAMESPACE}hasMaintenance"
    maintenanceEnabled: Final = f"{NAMESPACE}maintenanceEnabled"
    maintenanceMessage: Final = f"{NAMESPACE}maintenanceMessage"
    maintenanceRetryAfter: Final = f"{NAMESPACE}maintenanceRetryAfter"
    bypassedBy: Final = f"{NAMESPACE}bypassedBy"
    bypassAddress: Final = f"{NAMESPACE}bypassAddress"
    turnedAwayTotal: Final = f"{NAMESPACE}turnedAwayTotal"
    bypassedTotal: Final = f"{NAMESPACE}bypassedTotal"
    # fault
    FaultInjection: Final = f"{NAMESPACE}FaultInjection"
    hasFaultInjection: Final = f"{NAMESPACE}hasFaultInjection"
    delayDuration: Final = f"{NAMESPACE}delayDuration"
    delayPercent: Final = f"{NAMESPACE}delayPercent"
    abortStatus: Final = f"{NAMESPACE}abortStatus"
    abortPercent: Final = f"{NAMESPACE}abortPercent"
    triggeredBy: Final = f"{NAMESPACE}triggeredBy"
    delayedTotal: Final = f"{NAMESPACE}delayedTotal"
    abortedTotal: Final = f"{NAMESPACE}abortedTotal"
    # mirror
    TrafficMirroring: Final = f"{NAMESPACE}TrafficMirroring"
    hasTrafficMirroring: Final = f"{NAMESPACE}hasTrafficMirroring"
    mirrorPercent: Final = f"{NAMESPACE}mirrorPercent"
    mirrorBodyBytes: Final = f"{NAMESPACE}mirrorBodyBytes"
    mirrorConcurrency: Final = f"{NAMESPACE}mirrorConcurrency"
    mirroredTotal: Final = f"{NAMESPACE}mirroredTotal"
    mirrorFailedTotal: Final = f"{NAMESPACE}mirrorFailedTotal"
    mirrorSkippedTotal: Final = f"{NAMESPACE}mirrorSkippedTotal"
    # transform
    RequestTransformation: Final = f"{NAMESPACE}RequestTransformation"
    ResponseTransformation: Final = f"{NAMESPACE}ResponseTransformation"
    # policy
    PaymentRoute: Final = f"{NAMESPACE}PaymentRoute"
    owner: Final = f"{NAMESPACE}owner"
    ChangeGate: Final = f"{NAMESPACE}ChangeGate"
    ask: Final = f"{NAMESPACE}ask"
    # version
    ApiVersion: Final = f"{NAMESPACE}ApiVersion"
    VersioningStrategy: Final = f"{NAMESPACE}VersioningStrategy"
    DeprecationPolicy: Final = f"{NAMESPACE}DeprecationPolicy"
    BackwardCompatibility: Final = f"{NAMESPACE}BackwardCompatibility"


TERMS: Final[frozenset[str]] = frozenset(name for name in vars(AGW) if not name.startswith("_"))


class RDF(metaclass=_Closed):
    """RDF 1.1, what agw reads of it."""

    type: Final = f"{_RDF}type"
    first: Final = f"{_RDF}first"
    rest: Final = f"{_RDF}rest"
    nil: Final = f"{_RDF}nil"
    langString: Final = f"{_RDF}langString"


class RDFS(metaclass=_Closed):
    """RDF Schema, what agw reads of it."""

    Class: Final = f"{_RDFS}Class"
    Datatype: Final = f"{_RDFS}Datatype"
    Literal: Final = f"{_RDFS}Literal"
    comment: Final = f"{_RDFS}comment"
    domain: Final = f"{_RDFS}domain"
    isDefinedBy: Final = f"{_RDFS}isDefinedBy"
    label: Final = f"{_RDFS}label"
    range: Final = f"{_RDFS}range"
    subClassOf: Final = f"{_RDFS}subClassOf"
    subPropertyOf: Final = f"{_RDFS}subPropertyOf"


class OWL(metaclass=_Closed):
    """OWL 2, what agw reads of it."""

    AnnotationProperty: Final = f"{_OWL}AnnotationProperty"
    Class: Final = f"{_OWL}Class"
    DatatypeProperty: Final = f"{_OWL}DatatypeProperty"
    ObjectProperty: Final = f"{_OWL}ObjectProperty"
    Ontology: Final = f"{_OWL}Ontology"
    Thing: Final = f"{_OWL}Thing"
    equivalentClass: Final = f"{_OWL}equivalentClass"
    equivalentProperty: Final = f"{_OWL}equivalentProperty"
    imports: Final = f"{_OWL}imports"
    inverseOf: Final = f"{_OWL}inverseOf"
    unionOf: Final = f"{_OWL}unionOf"


class XSD(metaclass=_Closed):
    """XML Schema datatypes."""

    anyURI: Final = f"{_XSD}anyURI"
    boolean: Final = f"{_XSD}boolean"
    byte: Final = f"{_XSD}byte"
    date: Final = f"{_XSD}date"
    dateTime: Final = f"{_XSD}dateTime"
    dayTimeDuration: Final = f"{_XSD}dayTimeDuration"
    decimal: Final = f"{_XSD}decimal"
    double: Final = f"{_XSD}double"
    duration: Final = f"{_XSD}duration"
    float: Final = f"{_XSD}float"
    int: Final = f"{_XSD}int"
    integer: Final = f"{_XSD}integer"
    long: Final = f"{_XSD}long"
    nonNegativeInteger: Final = f"{_XSD}nonNegativeInteger"
    positiveInteger: Final = f"{_XSD}positiveInteger"
    short: Final = f"{_XSD}short"
    string: Final = f"{_XSD}string"
    unsignedByte: Final = f"{_XSD}unsignedByte"
    unsignedInt: Final = f"{_XSD}unsignedInt"
    unsignedLong: Final = f"{_XSD}unsignedLong"
    unsignedShort: Final = f"{_XSD}unsignedShort"
    yearMonthDuration: Final = f"{_XSD}yearMonthDuration"


class SH(metaclass=_Closed):
    """SHACL Core, SHACL-SPARQL and the validation report; names that are Python keywords end in an underscore."""

    Info: Final = f"{_SH}Info"
    NodeShape: Final = f"{_SH}NodeShape"
    PropertyShape: Final = f"{_SH}PropertyShape"
    ValidationReport: Final = f"{_SH}ValidationReport"
    ValidationResult: Final = f"{_SH}ValidationResult"
    Violation: Final = f"{_SH}Violation"
    Warning: Final = f"{_SH}Warning"
    and_: Final = f"{_SH}and"
    class_: Final = f"{_SH}class"
    conforms: Final = f"{_SH}conforms"
    datatype: Final = f"{_SH}datatype"
    disjoint: Final = f"{_SH}disjoint"
    equals: Final = f"{_SH}equals"
    flags: Final = f"{_SH}flags"
    focusNode: Final = f"{_SH}focusNode"
    hasValue: Final = f"{_SH}hasValue"
    in_: Final = f"{_SH}in"
    inversePath: Final = f"{_SH}inversePath"
    lessThan: Final = f"{_SH}lessThan"
    lessThanOrEquals: Final = f"{_SH}lessThanOrEquals"
    maxCount: Final = f"{_SH}maxCount"
    maxExclusive: Final = f"{_SH}maxExclusive"
    maxInclusive: Final = f"{_SH}maxInclusive"
    maxLength: Final = f"{_SH}maxLength"
    message: Final = f"{_SH}message"
    minCount: Final = f"{_SH}minCount"
    minExclusive: Final = f"{_SH}minExclusive"
    minInclusive: Final = f"{_SH}minInclusive"
    minLength: Final = f"{_SH}minLength"
    name: Final = f"{_SH}name"
    node: Final = f"{_SH}node"
    nodeKind: Final = f"{_SH}nodeKind"
    not_: Final = f"{_SH}not"
    or_: Final = f"{_SH}or"
    path: Final = f"{_SH}path"
    pattern: Final = f"{_SH}pattern"
    property: Final = f"{_SH}property"
    result: Final = f"{_SH}result"
    resultMessage: Final = f"{_SH}resultMessage"
    resultPath: Final = f"{_SH}resultPath"
    resultSeverity: Final = f"{_SH}resultSeverity"
    select: Final = f"{_SH}select"
    severity: Final = f"{_SH}severity"
    sourceShape: Final = f"{_SH}sourceShape"
    sparql: Final = f"{_SH}sparql"
    targetClass: Final = f"{_SH}targetClass"
    targetObjectsOf: Final = f"{_SH}targetObjectsOf"
    targetSubjectsOf: Final = f"{_SH}targetSubjectsOf"
    value: Final = f"{_SH}value"
    xone: Final = f"{_SH}xone"


RDF_TYPE: Final = RDF.type
SKOS_EXAMPLE: Final = f"{_SKOS}example"

PREFIXES: Final[dict[str, str]] = {
    "agw": NAMESPACE,
    "owl": _OWL,
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": _RDF,
    "rdfs": _RDFS,
    "sh": _SH,
    "skos": _SKOS,
    "xsd": _XSD,
}
"""The that agw writes and that its queries and messages use."""
