"""Service level objectives as the model has them: who is held to them, on whose word."""

from __future__ import annotations

from api_gateway_service_mesh.model import Objective
from tests.support.configuration import EX, mesh_of

MESH = """
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:a , ex:b ; agw:hasServiceLevelObjective ex:all .
ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s ; agw:hasServiceLevelObjective ex:own .
ex:s a agw:BackendService ; agw:address "127.0.0.1:9" ; agw:hasServiceLevelObjective ex:own .
ex:all a agw:ServiceLevelObjective ; agw:availabilityTarget 0.999 .
ex:own a agw:ServiceLevelObjective ; agw:availabilityTarget 0.9 ; agw:latencyTarget 0.95 ;
    agw:latencyThreshold "PT0.25S"^^xsd:dayTimeDuration ; agw:objectiveWindow "P7D"^^xsd:dayTimeDuration .
ex:nobodys a agw:ServiceLevelObjective ; agw:availabilityTarget 0.5 .
"""


def test_objectives_of_routes_and_services() -> None:
    own = Objective(EX + "own", (EX + "b", EX + "s"), 0.9, 0.95, 0.25, 7 * 86400.0)
    assert mesh_of(MESH).objectives == (Objective(EX + "all", (EX + "a",), 0.999), own)
