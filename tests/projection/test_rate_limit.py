from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import KeyKind, RateLimit, RequestKey
from tests.support.configuration import EX, mesh_of


@pytest.mark.parametrize(
    ("stated", "limit"),
    [
        ("agw:requestsPerSecond 200", RateLimit(EX + "l", 200.0, 200)),
        ("agw:requestsPerSecond 2.5", RateLimit(EX + "l", 2.5, 3)),
        ("agw:requestsPerSecond 0.1", RateLimit(EX + "l", 0.1, 1)),
        ("agw:requestsPerSecond 10 ; agw:burstSize 50", RateLimit(EX + "l", 10.0, 50)),
        (
            'agw:requestsPerSecond 1 ; agw:limitKey "header:X-Tenant"',
            RateLimit(EX + "l", 1.0, 1, RequestKey(KeyKind.HEADER, "x-tenant")),
        ),
    ],
)
def test_limits(stated: str, limit: RateLimit) -> None:
    (route,) = mesh_of(
        f'ex:r a agw:Route ; agw:routePath "/" ; agw:hasRateLimiter ex:l . ex:l a agw:RateLimiter ; {stated} .'
    ).routes
    assert route.rate_limits == (limit,)


def test_a_route_has_all_its_limits_in_the_order_of_their_names() -> None:
    (route,) = mesh_of("""ex:r a agw:Route ; agw:routePath "/" ; agw:hasRateLimiter ex:b, ex:a .
        ex:b a agw:RateLimiter ; agw:requestsPerSecond 1 . ex:a a agw:ThrottlingPolicy ; agw:requestsPerSecond 2 .""").routes
    assert [limit.iri for limit in route.rate_limits] == [EX + "a", EX + "b"]
