from __future__ import annotations

from api_gateway_service_mesh.model import OverloadGuard
from tests.support.configuration import EX, mesh_of

GATEWAY = "ex:g a agw:ApiGateway ; agw:hasOverloadGuard ex:o . ex:o a agw:OverloadGuard"


def test_guards() -> None:
    assert mesh_of("ex:g a agw:ApiGateway .").overload is None
    assert mesh_of(f"{GATEWAY} .").overload == OverloadGuard(EX + "o")
    assert mesh_of(f"""{GATEWAY} ; agw:maximumLoopLag "PT0.05S"^^xsd:dayTimeDuration ; agw:maximumMemoryShare 0.5 ;
        agw:maximumActiveRequests 10 ; agw:maximumClientConnections 20 .""").overload == OverloadGuard(
        EX + "o", 0.05, 0.5, 10, 20
    )
