from __future__ import annotations

from api_gateway_service_mesh.model import OutlierDetection
from tests.support.configuration import EX, mesh_of

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasOutlierDetection ex:o . ex:o a agw:OutlierDetection'


def test_everything_stated() -> None:
    (service,) = mesh_of(
        SERVICE
        + """ ; agw:consecutiveErrors 3 ; agw:consecutiveGatewayErrors 2 ;
        agw:outlierInterval "PT5S"^^xsd:dayTimeDuration ; agw:baseEjectionTime "PT20S"^^xsd:dayTimeDuration ;
        agw:maximumEjectionTime "PT1M"^^xsd:dayTimeDuration ; agw:maximumEjectionPercent 30 ;
        agw:successRateFactor 1.9 ; agw:failurePercentage 85 ; agw:outlierMinimumHosts 3 ;
        agw:outlierMinimumRequests 50 ."""
    ).upstreams
    assert service.outlier == OutlierDetection(EX + "o", 3, 2, 5.0, 20.0, 60.0, 30, 1.9, 85, 3, 50)


def test_defaults_are_the_ontologys() -> None:
    (service,) = mesh_of(SERVICE + " .").upstreams
    assert service.outlier == OutlierDetection(EX + "o")


def test_a_class_of_services_hands_it_down() -> None:
    (service,) = mesh_of("""ex:Frail rdfs:subClassOf agw:BackendService ; agw:hasOutlierDetection ex:o .
        ex:o a agw:OutlierDetection . ex:s a ex:Frail ; agw:address "s:80" .""").upstreams
    assert service.outlier == OutlierDetection(EX + "o")
