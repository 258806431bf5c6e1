"""Limits, breakers, retries, timeouts, balancers and splits."""

from __future__ import annotations

from .case import duration, integer, right, warned, wrong
from .subjects import BALANCER, BREAKER, LIMIT, RATED, RETRY, TIMED, TIMEOUT

POLICIES = [
    *integer("requestsPerSecond", LIMIT, 1, 1000000000),
    *integer("burstSize", RATED, 1, 1000000000),
    *warned("requestsPerSecond", (f"{LIMIT} .", "limits nothing")),
    *wrong(
        "requestsPerSecond",
        ("ex:route agw:requestsPerSecond 5 .", "belong to an agw:RateLimiter"),
        ("ex:gateway agw:hasRateLimiter ex:limit . " + RATED + " .", "put them in a class"),
        (f"{LIMIT} ; agw:requestsPerSecond -5 .", "at least 1"),
    ),
    *right("limitKey", f'{RATED} ; agw:limitKey "client-address" .', f'{RATED} ; agw:limitKey "header:x-tenant" .'),
    *right("limitKey", f'{RATED} ; agw:limitKey "cookie:tenant" .'),
    *wrong(
        "limitKey",
        (f'{RATED} ; agw:limitKey "ip" .', '"client-address", "header:NAME", "cookie:NAME"'),
        (f'{RATED} ; agw:limitKey "header:" .', '"client-address", "header:NAME", "cookie:NAME"'),
    ),
    *integer("failureThreshold", BREAKER, 1, 1000000),
    *integer("timeoutSeconds", BREAKER, 1, 86400),
    *integer("halfOpenRequests", BREAKER, 1, 1000000),
    *duration("openDuration", BREAKER),
    *duration("slowCallDuration", BREAKER),
    *duration("breakerWindow", BREAKER),
    *duration("maximumOpenDuration", f"{BREAKER} ; agw:openDurationMultiplier 2"),
    *integer("minimumRequests", BREAKER, 1, 1000000),
    *right(
        "circuit breaker",
        f"{BREAKER} ; agw:failureRateThreshold 50 ; agw:openDurationMultiplier 1.5 .",
        f"{BREAKER} ; agw:failureStatus 400 , 429 , 599 .",
        f'{BREAKER} ; agw:slowCallDuration "PT1S"^^xsd:dayTimeDuration ; agw:slowCallRateThreshold 0.5 .',
        f'{BREAKER} ; agw:breakerScope "route" .',
        f'{BREAKER} ; agw:breakerScope "service" .',
        f'{BREAKER} ; agw:breakerScope "instance" .',
    ),
    *wrong(
        "circuit breaker",
        (f"{BREAKER} ; agw:failureRateThreshold 0 .", "above 0 and at most 100"),
        (f"{BREAKER} ; agw:failureRateThreshold 101 .", "above 0 and at most 100"),
        (f'{BREAKER} ; agw:failureRateThreshold "50" .', "above 0 and at most 100"),
        (f"{BREAKER} ; agw:slowCallRateThreshold 50 .", "from when on a request is slow"),
        (f"{BREAKER} ; agw:openDurationMultiplier 0.9 .", "one number from 1 to 100"),
        (f"{BREAKER} ; agw:failureStatus 200 .", "from 400 to 599"),
        (f'{BREAKER} ; agw:breakerScope "pod" .', '"route", "service" or "instance"'),
        ("ex:service agw:breakerScope 'route' .", "belong to an agw:CircuitBreaker"),
    ),
    *warned(
        "circuit breaker",
        (f'{BREAKER} ; agw:maximumOpenDuration "PT1M"^^xsd:dayTimeDuration .', "does not grow"),
    ),
    *wrong(
        "circuit breaker",
        (f'{BREAKER} ; agw:timeoutSeconds 5 ; agw:openDuration "PT5S"^^xsd:dayTimeDuration .', "Keep one of them"),
        ("ex:route agw:failureThreshold 5 .", "belong to an agw:CircuitBreaker"),
    ),
    *integer("retryAttempts", RETRY, 0, 100),
    *integer("initialDelayMs", RETRY, 0, 3600000),
    *integer("retryBudgetMinimum", RETRY, 0, 1000000),
    *integer("maximumReplayBytes", RETRY, 0, 16777216),
    *warned(
        "retry", (f"{RETRY} ; agw:retriedTotal 5 .", "live state"), (f"{RETRY} ; agw:retriesRefusedTotal 5 .", "live")
    ),
    *integer("maximumDelayMs", RETRY, 0, 3600000),
    *right(
        "retry",
        f"{RETRY} ; agw:backoffMultiplier 1.5 .",
        f"{RETRY} ; agw:backoffMultiplier 2 .",
        f"{RETRY} ; agw:backoffMultiplier 1.0e0 .",
        f'{RETRY} ; agw:backoffMultiplier "2"^^xsd:float .',
        f'{RETRY} ; agw:retryOn "connect-failure" , "reset" , "gateway-error" , "5xx" , "timeout" , "refused-stream" .',
        f"{RETRY} ; agw:retryStatus 400 , 409 , 599 .",
        f"{RETRY} ; agw:honourRetryAfter false ; agw:retryIdempotencyKey true .",
        f"{RETRY} ; agw:retryBudgetPercent 0 ; agw:retryBudgetMinimum 0 .",
        f"{RETRY} ; agw:retryBudgetPercent 12.5 .",
        f"{RETRY} ; agw:retryNonIdempotent true .",
        f"{RETRY} ; agw:initialDelayMs 5 ; agw:maximumDelayMs 5 .",
    ),
    *wrong(
        "retry",
        (f"{RETRY} ; agw:backoffMultiplier 0.5 .", "one number from 1 to 100"),
        (f'{RETRY} ; agw:backoffMultiplier "two" .', "one number from 1 to 100"),
        (f'{RETRY} ; agw:retryOn "500" .', "agw:retryOn must be"),
        (f'{RETRY} ; agw:retryNonIdempotent "yes" .', "true or false"),
        (f"{RETRY} ; agw:retryStatus 200 .", "from 400 to 599"),
        (f'{RETRY} ; agw:honourRetryAfter "no" .', "true or false"),
        (f"{RETRY} ; agw:retryIdempotencyKey 1 .", "true or false"),
        (f"{RETRY} ; agw:retryBudgetPercent -1 .", "from 0 to 1000"),
        (f"{RETRY} ; agw:retryBudgetPercent 1001 .", "from 0 to 1000"),
        ("ex:route agw:retryBudgetPercent 5 .", "belong to an agw:RetryPolicy"),
        (f"{RETRY} ; agw:initialDelayMs 6 ; agw:maximumDelayMs 5 .", "no wait could grow"),
        ("ex:route agw:retryAttempts 5 .", "belong to an agw:RetryPolicy"),
    ),
    *integer("timeoutSeconds", TIMEOUT, 1, 86400),
    *duration("timeoutDuration", TIMEOUT),
    *duration("perAttemptTimeout", TIMEOUT),
    *wrong(
        "timeout",
        (f'{TIMED} ; agw:timeoutDuration "PT5S"^^xsd:dayTimeDuration .', "Keep one of them"),
        ("ex:route agw:timeoutSeconds 5 .", "how long a request may take"),
        ('ex:route agw:perAttemptTimeout "PT5S"^^xsd:dayTimeDuration .', "belong to an agw:Timeout"),
    ),
    *warned("timeout", (f"{TIMEOUT} .", "bounds nothing")),
    *right(
        "deadline",
        f'{TIMEOUT} ; agw:deadlineHeader "grpc-timeout" .',
        f'{TIMED} ; agw:deadlineHeader "X-Request-Timeout-Ms" ; agw:deadlineTrust "trusted-proxies" .',
        f'{TIMED} ; agw:deadlineHeader "x-timeout" ; agw:deadlineTrust "anyone" .',
    ),
    *wrong(
        "deadline",
        (f'{TIMED} ; agw:deadlineHeader "no name" .', "one name of a header field"),
        (f'{TIMED} ; agw:deadlineTrust "me" .', '"trusted-proxies" or "anyone"'),
        ("ex:route agw:deadlineHeader 'x' .", "belong to an agw:Timeout"),
    ),
    *right(
        "balancer",
        *(
            f'ex:balancer a agw:LoadBalancer ; agw:balancingAlgorithm "{name}" .'
            for name in ("ROUND_ROBIN", "WEIGHTED", "LEAST_CONNECTIONS", "RANDOM", "CONSISTENT_HASH")
        ),
        f'{BALANCER} ; agw:hashKey "header:x-session" .',
        f'{BALANCER} ; agw:hashKey "client-address" .',
        f'{BALANCER} ; agw:hashKey "cookie:session" .',
    ),
    *wrong(
        "balancer",
        ('ex:balancer a agw:LoadBalancer ; agw:balancingAlgorithm "round-robin" .', "agw:balancingAlgorithm must be"),
        (f'{BALANCER} ; agw:hashKey "cookie" .', "agw:hashKey must be"),
        ('ex:service agw:balancingAlgorithm "RANDOM" .', "belong to an agw:LoadBalancer"),
    ),
    *warned("balancer", ('ex:b a agw:LoadBalancer ; agw:hashKey "client-address" .', "counts only with")),
    *right(
        "split",
        "ex:route agw:hasTrafficSplit ex:a , ex:b . ex:a a agw:TrafficSplit ; agw:weight 90 ; agw:targetService "
        "ex:service . ex:b a agw:CanaryDeployment ; agw:weight 10 ; agw:targetService ex:service .",
        "ex:route agw:hasTrafficSplit ex:a , ex:b . ex:a a agw:TrafficSplit ; agw:weight 50 ; agw:targetService "
        "ex:service . ex:b a agw:TrafficSplit ; agw:weight 50 ; agw:targetService ex:service .",
    ),
    *wrong(
        "split",
        (
            "ex:route agw:hasTrafficSplit ex:a . ex:a a agw:TrafficSplit ; agw:weight 9 ; agw:targetService ex:service .",
            "must sum to 100",
        ),
        (
            "ex:route agw:hasTrafficSplit ex:a , ex:b . ex:a a agw:TrafficSplit ; agw:weight 90 ; agw:targetService "
            "ex:service . ex:b a agw:TrafficSplit ; agw:weight 20 ; agw:targetService ex:service .",
            "must sum to 100",
        ),
        (
            "ex:route agw:hasTrafficSplit ex:a , ex:b . ex:a a agw:TrafficSplit ; agw:weight 90 ; agw:targetService "
            "ex:service . ex:b a agw:TrafficSplit ; agw:weight 'ten' ; agw:targetService ex:service .",
            "from 0 to 100",
        ),
        ("ex:a a agw:TrafficSplit ; agw:targetService ex:service .", "how much goes to its target"),
        ("ex:a a agw:TrafficSplit ; agw:weight 5 ; agw:targetService ex:missing .", "No such BackendService"),
        ("ex:a a agw:TrafficSplit ; agw:weight 101 ; agw:targetService ex:service .", "from 0 to 100"),
        ("ex:a a agw:TrafficSplit ; agw:weight -1 ; agw:targetService ex:service .", "from 0 to 100"),
        ("ex:service agw:weight 5 .", "belong to an agw:TrafficSplit"),
    ),
    *warned(
        "split",
        ("ex:route agw:hasTrafficSplit ex:a . ex:a a agw:CanaryDeployment ; agw:weight 10 .", "names no target"),
    ),
]
