from __future__ import annotations

from api_gateway_service_mesh.model import AdaptiveConcurrency, RequestPriority
from tests.support.configuration import EX, mesh_of

ROUTE = 'ex:r a agw:Route ; agw:routePath "/" ; agw:hasAdaptiveConcurrency ex:c . ex:c a agw:AdaptiveConcurrency'


def test_limits() -> None:
    (route,) = mesh_of(f"{ROUTE} .").routes
    assert route.concurrency == AdaptiveConcurrency(EX + "c")
    assert route.request_priority is None
    (route,) = mesh_of(f"""{ROUTE} ; agw:minimumConcurrency 7 ; agw:maximumConcurrency 70 ; agw:latencyTolerance 2.5 ;
        agw:baselinePeriod "PT1M"^^xsd:dayTimeDuration .""").routes
    assert route.concurrency == AdaptiveConcurrency(EX + "c", 7, 70, 2.5, 60.0)


def test_a_priority_is_handed_down_by_a_class() -> None:
    (route,) = mesh_of("""ex:r a ex:Batch ; agw:routePath "/" .
        ex:Batch rdfs:subClassOf agw:Route ; agw:requestPriority "LOW" .""").routes
    assert route.request_priority is RequestPriority.LOW
