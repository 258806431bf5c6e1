from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Breaker
from tests.support.configuration import EX, mesh_of


@pytest.mark.parametrize(
    ("stated", "breaker"),
    [
        ("", Breaker(EX + "c")),
        ("; agw:failureThreshold 3 ; agw:timeoutSeconds 20 ; agw:halfOpenRequests 2", Breaker(EX + "c", 3, 20.0, 2)),
        ('; agw:openDuration "PT0.5S"^^xsd:dayTimeDuration', Breaker(EX + "c", open_seconds=0.5)),
    ],
)
def test_breakers(stated: str, breaker: Breaker) -> None:
    (route,) = mesh_of(
        f'ex:r a agw:Route ; agw:routePath "/" ; agw:hasCircuitBreaker ex:c . ex:c a agw:CircuitBreaker {stated} .'
    ).routes
    assert route.breaker == breaker
