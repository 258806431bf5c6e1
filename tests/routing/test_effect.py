"""What a route does, and the values that are cited for it."""

from __future__ import annotations

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Breaker,
    BreakerScope,
    ConnectionPool,
    DeadlineTrust,
    Endpoint,
    Hedging,
    KeyKind,
    MtlsMode,
    RateLimit,
    RequestKey,
    Retry,
    RetryCondition,
    Timeout,
    Upstream,
)
from api_gateway_service_mesh.routing.effect import effects, number
from api_gateway_service_mesh.vocabulary import NAMESPACE
from tests.support.routes import EX, mesh, route


def cited(part) -> list[tuple[str, str]]:
    return [(c.predicate.removeprefix(NAMESPACE), c.object) for c in part.citations]


def test_defaults_are_not_cited() -> None:
    r = route("r", "/", breaker=Breaker(EX + "b"), retry=Retry(EX + "t"), rate_limits=(RateLimit(EX + "l", 5, 5),))
    limit, breaker, retry, upstream = effects(mesh(r), r)
    assert cited(limit) == [("hasRateLimiter", EX + "l"), ("requestsPerSecond", "5")]
    assert cited(breaker) == [("hasCircuitBreaker", EX + "b")]
    assert cited(retry) == [("hasRetryPolicy", EX + "t")]
    assert upstream.text == "none: answers 503"


def test_what_is_stated_is_cited() -> None:
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "i", "h", 1), Endpoint(EX + "j", "h", 2, weight=0)))
    r = route(
        "r",
        "/",
        upstream=service.iri,
        rate_limits=(RateLimit(EX + "l", 0.5, 5, (RequestKey(KeyKind.HEADER, "x-user"),)),),
        retry=Retry(EX + "t", 1, 0.1, conditions=frozenset({RetryCondition.RESET}), retry_non_idempotent=True),
        timeout=Timeout(EX + "o", None, 0.5),
        balancer=Balancer(EX + "b", Algorithm.CONSISTENT_HASH, RequestKey(KeyKind.CLIENT_ADDRESS)),
    )
    parts = {part.name: part for part in effects(mesh(r, upstreams=(service,)), r)}
    assert ("burstSize", "5") in cited(parts["rate limit"])
    assert ("limitKey", "header:x-user") in cited(parts["rate limit"])
    assert cited(parts["retry"])[1:] == [
        ("retryAttempts", "1"),
        ("initialDelayMs", "100"),
        ("retryOn", "reset"),
        ("retryNonIdempotent", "true"),
    ]
    assert parts["timeout"].text == "0.5 s each attempt"
    assert parts["balancer"].text == "CONSISTENT_HASH by client-address"
    assert parts["endpoint"].text == "http://h:2, weight 0"
    assert cited(parts["endpoint"]) == [("hasInstance", EX + "j"), ("address", "h:2"), ("instanceWeight", "0")]


def test_a_service_that_may_not_be_spoken_to_says_so() -> None:
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "s", "h", 1),), mtls_mode=MtlsMode.STRICT)
    r = route("r", "/", upstream=service.iri)
    (part,) = effects(mesh(r, upstreams=(service,)), r)
    assert "answers 503" in part.text


def test_numbers_as_people_write_them() -> None:
    assert [number(n) for n in (5.0, 0.5, 1000000, 2.25)] == ["5", "0.5", "1000000", "2.25"]


def test_a_retrys_budget_and_bounds_are_said() -> None:
    retry = Retry(
        EX + "t",
        statuses=(429,),
        honour_retry_after=False,
        budget_percent=10.0,
        budget_minimum=1,
        retry_idempotency_key=True,
        max_replay_bytes=9,
    )
    r = route("r", "/", retry=retry)
    said = effects(mesh(r), r)[0]
    assert said.text.endswith("timeout, 429; at most 10 % of the requests or 1/s")
    assert {term for term, _ in cited(said)} == {
        "hasRetryPolicy", "retryStatus", "honourRetryAfter", "retryBudgetPercent", "retryBudgetMinimum",
        "retryIdempotencyKey", "maximumReplayBytes",
    }  # fmt: skip


def test_everything_that_can_open_a_breaker_is_said() -> None:
    breaker = Breaker(
        EX + "b", 5, 10.0, 1, 50.0, 2.0, 80.0, 30.0, 10, (429, 503), 2.0, 60.0, scope=BreakerScope.INSTANCE
    )
    r = route("r", "/", breaker=breaker)
    said = effects(mesh(r), r)[0]
    assert said.text == (
        "opens after 5 failures in a row or 50 % failures or 80 % slower than 2 s of 10 requests or more in 30 s, "
        "of status 429, 503, for 10 s and each time 2 times as long up to 60 s, then 1 probe; one state for each instance"
    )
    assert {term for term, _ in cited(said)} == {
        "hasCircuitBreaker", "timeoutSeconds", "failureRateThreshold", "slowCallDuration", "slowCallRateThreshold",
        "breakerWindow", "minimumRequests", "openDurationMultiplier", "maximumOpenDuration", "failureStatus",
        "breakerScope",
    }  # fmt: skip


def test_a_deadline_that_callers_state_is_said() -> None:
    timeout = Timeout(EX + "o", 5.0, None, "grpc-timeout", DeadlineTrust.ANYONE, 60.0)
    r = route("r", "/", timeout=timeout)
    said = effects(mesh(r), r)[0]
    assert said.text == "5 s in all, 60 s without a byte, what grpc-timeout of anyone says"
    assert ("deadlineHeader", "grpc-timeout") in cited(said)
    assert ("deadlineTrust", "anyone") in cited(said)
    assert ("streamIdleTimeout", "60") in cited(said)


def test_the_bounds_of_a_connection_pool_are_said() -> None:
    pool = ConnectionPool(EX + "p", max_requests=7, queue_timeout_seconds=0.5)
    service = Upstream(EX + "s", "ex:s", (Endpoint(EX + "i", "h", 1),), pool=pool)
    r = route("r", "/", upstream=service.iri)
    _, said, _ = effects(mesh(r, upstreams=(service,)), r)
    assert said.text == "at most 1024 connections, 4096 waiting, 0.5 s in the queue, 7 requests"
    assert cited(said) == [("hasConnectionPool", EX + "p"), ("queueTimeout", "0.5"), ("maxRequests", "7")]


def test_hedging_is_said() -> None:
    r = route("r", "/", hedging=Hedging(EX + "h", 0.25, non_idempotent=True))
    said = effects(mesh(r), r)[0]
    assert (said.name, said.text) == ("hedging", "a second attempt after 0.25 s")
    assert cited(said) == [("hasHedging", EX + "h"), ("hedgeDelay", "0.25"), ("hedgeNonIdempotent", "true")]
