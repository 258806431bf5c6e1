from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Breaker, BreakerScope
from tests.support.configuration import EX, mesh_of


@pytest.mark.parametrize(
    ("stated", "breaker"),
    [
        ("", Breaker(EX + "c")),
        ("; agw:failureThreshold 3 ; agw:timeoutSeconds 20 ; agw:halfOpenRequests 2", Breaker(EX + "c", 3, 20.0, 2)),
        (
            '; agw:failureRateThreshold 40.5 ; agw:slowCallDuration "PT2S"^^xsd:dayTimeDuration ; '
            'agw:slowCallRateThreshold 80 ; agw:breakerWindow "PT1M"^^xsd:dayTimeDuration ; agw:minimumRequests 5 ; '
            "agw:failureStatus 503 , 429 ; agw:openDurationMultiplier 2 ; "
            'agw:maximumOpenDuration "PT2M"^^xsd:dayTimeDuration ; agw:breakerScope "instance"',
            Breaker(EX + "c", 5, 30.0, 1, 40.5, 2.0, 80.0, 60.0, 5, (429, 503), 2.0, 120.0, BreakerScope.INSTANCE),
        ),
        ('; agw:openDuration "PT0.5S"^^xsd:dayTimeDuration', Breaker(EX + "c", open_seconds=0.5)),
    ],
)
def test_breakers(stated: str, breaker: Breaker) -> None:
    (route,) = mesh_of(
        f'ex:r a agw:Route ; agw:routePath "/" ; agw:hasCircuitBreaker ex:c . ex:c a agw:CircuitBreaker {stated} .'
    ).routes
    assert route.breaker == breaker
