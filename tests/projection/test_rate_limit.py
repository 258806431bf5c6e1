from __future__ import annotations

from dataclasses import replace

import pytest

from api_gateway_service_mesh.model import CalendarUnit, KeyKind, LimitAlgorithm, RateLimit, RequestKey
from tests.support.configuration import EX, assembled, mesh_of, only_finding


def limit(rate: float, burst: int, **more: object) -> RateLimit:
    return replace(RateLimit(EX + "l", rate, burst, name="l"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("agw:requestsPerSecond 200", limit(200.0, 200)),
        ("agw:requestsPerSecond 2.5", limit(2.5, 3)),
        ("agw:requestsPerSecond 0.1", limit(0.1, 1)),
        ("agw:requestsPerSecond 10 ; agw:burstSize 50", limit(10.0, 50)),
        (
            'agw:requestsPerSecond 1 ; agw:limitKey "header:X-Tenant"',
            limit(1.0, 1, keys=(RequestKey(KeyKind.HEADER, "x-tenant"),)),
        ),
        (
            'agw:requestsPerSecond 1 ; agw:limitKey "route" , "client-address" ; agw:ipv6PrefixLength 48',
            limit(
                1.0,
                1,
                keys=(RequestKey(KeyKind.CLIENT_ADDRESS), RequestKey(KeyKind.ROUTE)),
                ipv6_prefix_length=48,
            ),
        ),
        (
            'agw:requestsPerSecond 7 ; agw:limitAlgorithm "SLIDING_WINDOW" ; agw:shadowMode true ; agw:keyCapacity 64',
            limit(7.0, 7, algorithm=LimitAlgorithm.SLIDING_WINDOW, shadow=True, key_capacity=64),
        ),
        (
            'agw:quota 3600 ; agw:quotaPeriod "PT2H"^^xsd:dayTimeDuration ; agw:rateLimitFields true',
            limit(
                0.5,
                3600,
                algorithm=LimitAlgorithm.FIXED_WINDOW,
                period_seconds=7200.0,
                quota=True,
                key_capacity=65536,
                fields=True,
            ),
        ),
        (
            'agw:quota 9 ; agw:quotaCalendar "WEEK" ; agw:quotaZone "Europe/Berlin"',
            limit(
                9 / 604800,
                9,
                algorithm=LimitAlgorithm.FIXED_WINDOW,
                period_seconds=604800.0,
                quota=True,
                key_capacity=65536,
                calendar=CalendarUnit.WEEK,
                zone="Europe/Berlin",
            ),
        ),
        (
            'agw:requestsPerSecond 9 ; agw:requestCostHeader "X-Batch" ; agw:responseCostHeader "X-Cost" ; agw:maximumCost 4',
            limit(9.0, 9, cost_field="x-batch", answer_cost_field="x-cost", maximum_cost=4),
        ),
    ],
)
def test_limits(stated: str, wanted: RateLimit) -> None:
    (route,) = mesh_of(
        f'ex:r a agw:Route ; agw:routePath "/" ; agw:hasRateLimiter ex:l . ex:l a agw:RateLimiter ; {stated} .'
    ).routes
    assert route.rate_limits == (wanted,)


def test_a_route_has_all_its_limits_in_the_order_of_their_names() -> None:
    (route,) = mesh_of("""ex:r a agw:Route ; agw:routePath "/" ; agw:hasRateLimiter ex:b, ex:a .
        ex:b a agw:RateLimiter ; agw:requestsPerSecond 1 . ex:a a agw:ThrottlingPolicy ; agw:requestsPerSecond 2 .""").routes
    assert [limit.iri for limit in route.rate_limits] == [EX + "a", EX + "b"]


def test_a_limiter_without_a_rate_limits_nothing() -> None:
    (route,) = mesh_of(
        'ex:r a agw:Route ; agw:routePath "/" ; agw:hasRateLimiter ex:l . ex:l a agw:RateLimiter .'
    ).routes
    assert route.rate_limits == ()


def test_what_a_request_costs_is_handed_down_by_a_class() -> None:
    (route,) = mesh_of(
        """ex:r a ex:Heavy ; agw:routePath "/" . ex:Heavy rdfs:subClassOf agw:Route ; agw:requestCost 5 ."""
    ).routes
    assert route.request_cost == 5


def test_a_request_that_costs_more_than_there_ever_is_is_refused() -> None:
    finding = only_finding(
        assembled("""ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:b ; agw:requestCost 6 ;
            agw:hasRateLimiter ex:l . ex:b a agw:BackendService ; agw:address "b:1" .
            ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 .""")
    )
    assert finding.code == "cost-above-limit"
    assert finding.allowed == "at most 5"


def test_a_time_zone_that_there_is_not() -> None:
    finding = only_finding(
        assembled("""ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:b ; agw:hasRateLimiter ex:l .
            ex:b a agw:BackendService ; agw:address "b:1" .
            ex:l a agw:RateLimiter ; agw:quota 9 ; agw:quotaCalendar "DAY" ; agw:quotaZone "Europe/Atlantis" .""")
    )
    assert finding.code == "unknown-time-zone"
    assert "agw:quotaZone" in finding.message
