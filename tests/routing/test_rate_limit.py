from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import (
    CalendarUnit,
    FailureMode,
    KeyKind,
    LimitAlgorithm,
    RateLimit,
    RedisStore,
    RequestKey,
)
from api_gateway_service_mesh.routing.part import Citation
from api_gateway_service_mesh.routing.rate_limit import limit_text, rate_limit_part
from api_gateway_service_mesh.vocabulary import AGW
from tests.support.routes import EX, route

L = EX + "l"


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (RateLimit(L, 5, 10), "5 requests/s, burst 10"),
        (RateLimit(L, 5, 5, algorithm=LimitAlgorithm.SLIDING_WINDOW), "5 requests/s, sliding window"),
        (
            RateLimit(L, 5, 5, algorithm=LimitAlgorithm.FIXED_WINDOW, shadow=True),
            "5 requests/s, fixed window, only counted",
        ),
        (
            RateLimit(
                L,
                100 / 3600,
                100,
                (RequestKey(KeyKind.CLIENT_ADDRESS), RequestKey(KeyKind.ROUTE)),
                LimitAlgorithm.FIXED_WINDOW,
                3600.0,
                quota=True,
            ),
            "100 requests in 3600 s, each client-address and route",
        ),
        (RateLimit(L, 1, 60, period_seconds=60.0, quota=True), "60 requests in 60 s, token bucket"),
        (
            RateLimit(
                L,
                1,
                60,
                (),
                LimitAlgorithm.FIXED_WINDOW,
                2592000.0,
                quota=True,
                calendar=CalendarUnit.MONTH,
                zone="Asia/Tokyo",
            ),
            "60 requests in each month of the calendar (Asia/Tokyo)",
        ),
    ],
)
def test_a_limit_in_words(limit: RateLimit, text: str) -> None:
    assert limit_text(limit) == text


def test_what_a_limit_follows_from() -> None:
    store = RedisStore("urn:redis", "redis", 6379)
    limit = RateLimit(L, 5, 9, fields=True, store=store, failure_mode=FailureMode.CLOSED, key_capacity=64)
    r = route("r", "/", rate_limits=(limit,), request_cost=3)
    part = rate_limit_part(r, limit)
    assert part.text == (
        "5 requests/s, burst 9, each request costs 3, counted in redis:6379, letting none in while it is away"
    )
    assert part.citations == (
        Citation(r.iri, AGW.hasRateLimiter, L),
        Citation(L, AGW.requestsPerSecond, "5"),
        Citation(L, AGW.burstSize, "9"),
        Citation(L, AGW.keyCapacity, "64"),
        Citation(L, AGW.rateLimitFields, "true"),
        Citation(r.iri, AGW.requestCost, "3"),
        Citation(L, AGW.sharedThrough, "urn:redis"),
        Citation(L, AGW.failureMode, "CLOSED"),
    )


def test_what_a_stated_cost_and_the_calendar_follow_from() -> None:
    limit = RateLimit(
        L, 9 / 86400, 9, (), LimitAlgorithm.FIXED_WINDOW, 86400.0, quota=True, key_capacity=65536,
        calendar=CalendarUnit.DAY, zone="Asia/Tokyo", cost_field="x-batch", answer_cost_field="x-cost", maximum_cost=4,
    )  # fmt: skip
    r = route("r", "/", rate_limits=(limit,))
    part = rate_limit_part(r, limit)
    assert part.text == (
        "9 requests in each day of the calendar (Asia/Tokyo), or the more that x-batch of the request says or x-cost of "
        "the answer says, at most 4"
    )
    assert part.citations[2:] == (
        Citation(L, AGW.quotaCalendar, "DAY"),
        Citation(L, AGW.quotaZone, "Asia/Tokyo"),
        Citation(L, AGW.requestCostHeader, "x-batch"),
        Citation(L, AGW.responseCostHeader, "x-cost"),
        Citation(L, AGW.maximumCost, "4"),
    )
