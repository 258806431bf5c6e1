from __future__ import annotations

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import CheckProtocol, HealthCheck
from tests.support.configuration import EX, assembled, mesh_of, only_finding

SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasHealthCheck '


def test_everything_stated() -> None:
    (service,) = mesh_of(
        SERVICE
        + """ex:h . ex:h a agw:HealthCheck ; agw:healthCheckPath "/up" ;
        agw:healthCheckInterval "PT5S"^^xsd:duration ; agw:healthCheckTimeout "PT1S"^^xsd:dayTimeDuration ;
        agw:successThreshold 2 ; agw:failureThresholdHealth 4 ."""
    ).upstreams
    assert service.health == HealthCheck(EX + "h", "/up", 5.0, 1.0, 2, 4)


def test_the_path_may_stand_on_an_endpoint_of_its_own_and_the_checks_own_comes_first() -> None:
    text = (
        SERVICE
        + 'ex:h . ex:e a agw:HealthEndpoint ; agw:healthCheckPath "/e" . ex:h a agw:HealthCheck ; agw:hasHealthEndpoint ex:e '
    )
    (shared,) = mesh_of(text + ".").upstreams
    (own,) = mesh_of(text + '; agw:healthCheckPath "/own" .').upstreams
    assert (shared.health and shared.health.path, own.health and own.health.path) == ("/e", "/own")


def test_readiness_decides_about_traffic() -> None:
    probes = "ex:live, ex:ready . ex:live a agw:LivenessProbe . ex:ready a agw:ReadinessProbe ."
    (service,) = mesh_of(SERVICE + probes).upstreams
    assert service.health and service.health.iri == EX + "ready"
    assert not assembled(SERVICE + probes).findings


def test_of_two_equal_checks_one_is_said_to_be_idle() -> None:
    finding = only_finding(assembled(SERVICE + "ex:a, ex:b . ex:a a agw:HealthCheck . ex:b a agw:HealthCheck ."))
    assert (finding.code, finding.severity, finding.value) == ("several-health-checks", Severity.WARNING, EX + "b")


def test_how_it_is_asked() -> None:
    (service,) = mesh_of(
        SERVICE
        + """ex:h . ex:h a agw:HealthCheck ; agw:healthCheckProtocol "GRPC" ; agw:grpcServiceName "shop.Products" ;
        agw:expectedStatus 204 , "200-299" ; agw:healthCheckHeader "X-Probe: agw" ; agw:healthCheckHost "shop" ;
        agw:unhealthyCheckInterval "PT1S"^^xsd:dayTimeDuration ; agw:healthCheckJitter 20 ."""
    ).upstreams
    assert service.health == HealthCheck(
        EX + "h",
        protocol=CheckProtocol.GRPC,
        statuses=("200-299", "204"),
        headers=("X-Probe: agw",),
        host="shop",
        unhealthy_interval_seconds=1.0,
        jitter=20,
        grpc_service="shop.Products",
    )


def test_probes_have_their_own_purposes() -> None:
    (service,) = mesh_of(
        SERVICE + "ex:l, ex:r, ex:u . ex:l a agw:LivenessProbe . ex:r a agw:ReadinessProbe . ex:u a agw:StartupProbe ."
    ).upstreams
    assert [check and check.iri[-1] for check in (service.liveness, service.health, service.startup)] == ["l", "r", "u"]
