from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import Hedging
from tests.support.configuration import EX, mesh_of


@pytest.mark.parametrize(
    ("stated", "hedging"),
    [
        ('; agw:hedgeDelay "PT0.25S"^^xsd:dayTimeDuration', Hedging(EX + "h", 0.25)),
        (
            '; agw:hedgeDelay "PT1S"^^xsd:dayTimeDuration ; agw:hedgeNonIdempotent true',
            Hedging(EX + "h", 1.0, non_idempotent=True),
        ),
    ],
)
def test_hedgings(stated: str, hedging: Hedging) -> None:
    (route,) = mesh_of(
        f'ex:r a agw:Route ; agw:routePath "/" ; agw:hasHedging ex:h . ex:h a agw:Hedging {stated} .'
    ).routes
    assert route.hedging == hedging
