from __future__ import annotations

from api_gateway_service_mesh.model import Endpoint
from tests.support.configuration import EX, assembled, mesh_of, only_finding


def test_instances_come_before_the_services_own_address() -> None:
    (service,) = mesh_of("""ex:s a agw:BackendService ; agw:address "own:1" ; agw:hasInstance ex:b, ex:a .
        ex:a a agw:ServiceInstance ; agw:address "https://a:443" ; agw:instanceWeight 3 .
        ex:b a agw:ServiceInstance ; agw:address "[::1]:80" .""").upstreams
    assert service.endpoints == (Endpoint(EX + "a", "a", 443, True, 3), Endpoint(EX + "b", "::1", 80))


def test_the_own_address_is_an_endpoint_by_the_services_name() -> None:
    (service,) = mesh_of('ex:s a agw:BackendService ; agw:address "own:1" .').upstreams
    assert service.endpoints == (Endpoint(EX + "s", "own", 1),)


def test_what_is_no_address_is_refused_with_the_grammar() -> None:
    finding = only_finding(assembled('ex:s a agw:BackendService ;\n agw:address "http://s:80/api" .'))
    assert finding.code == "invalid-address"
    assert finding.location and finding.location.line == 3
    assert finding.allowed and "https://host:port" in finding.allowed


def test_zone_and_priority() -> None:
    mesh = mesh_of("""ex:g a agw:ApiGateway ; agw:zone "west" . ex:s a agw:BackendService ; agw:hasInstance ex:a .
        ex:a a agw:ServiceInstance ; agw:address "a:1" ; agw:zone "east" ; agw:failoverPriority 2 .""")
    (endpoint,) = mesh.upstreams[0].endpoints
    assert (mesh.zone, endpoint.zone, endpoint.priority) == ("west", "east", 2)
