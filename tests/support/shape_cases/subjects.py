"""The subjects that the texts say something about."""

from __future__ import annotations

LIMIT = "ex:limit a agw:RateLimiter"
RATED = "ex:limit a agw:RateLimiter ; agw:requestsPerSecond 9"
BREAKER = "ex:breaker a agw:CircuitBreaker"
RETRY = "ex:retry a agw:RetryPolicy"
HEDGING = 'ex:hedging a agw:Hedging ; agw:hedgeDelay "PT0.1S"^^xsd:dayTimeDuration'
TIMEOUT = "ex:timeout a agw:Timeout"
TIMED = "ex:timeout a agw:Timeout ; agw:timeoutSeconds 5"
LISTENER = "ex:gateway agw:hasListener ex:web . ex:web a agw:Listener ; agw:port 8443"
UNPORTED = "ex:gateway agw:hasListener ex:web . ex:web a agw:Listener"
POOL = "ex:pool a agw:ConnectionPool"
CHECK = "ex:check a agw:HealthCheck"
OUTLIER = "ex:outlier a agw:OutlierDetection"
INSTANCE = "ex:i a agw:ServiceInstance ; agw:address 'i:1'"
CERTIFICATE = "ex:certificate a agw:Certificate"
FILES = 'agw:certificateFile "tls/a.pem" ; agw:privateKeyRef "file:tls/a.key"'
MESH = 'ex:mesh a agw:ServiceMesh ; agw:meshType "istio"'
PLAIN = "ex:balancer a agw:LoadBalancer"
BALANCER = 'ex:balancer a agw:LoadBalancer ; agw:balancingAlgorithm "CONSISTENT_HASH"'
TRUSTING = CERTIFICATE + " ; " + FILES + ' ; agw:trustBundleFile "tls/ca.pem"'
STRICT = '[ a agw:MutualTLS ; agw:mtlsMode "STRICT" ]'
CERTIFIED = '[ a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:certificate ]'
