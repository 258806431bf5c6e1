from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import MeshType, MtlsMode
from tests.support.configuration import EX, assembled, mesh_of, only_finding

TWO = """ex:g a agw:ApiGateway ; agw:hasRoute ex:a . ex:h a agw:ApiGateway ; agw:hasRoute ex:b .
    ex:s a agw:BackendService ; agw:address "s:80" . ex:t a agw:BackendService ; agw:address "t:80" .
    ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
    ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:t .
    """


def test_without_gateway_there_is_an_implied_one_with_all_routes() -> None:
    mesh = mesh_of('ex:a a agw:Route ; agw:routePath "/a" .')
    assert (mesh.iri, mesh.name, len(mesh.routes)) == ("urn:agw:gateway", "gateway", 1)


def test_the_only_gateway_serves_all_routes() -> None:
    mesh = mesh_of('ex:g a agw:ApiGateway . ex:a a agw:Route ; agw:routePath "/a" .')
    assert (mesh.iri, len(mesh.routes)) == (EX + "g", 1)


def test_of_several_one_must_be_chosen() -> None:
    with pytest.raises(ConfigError) as refused:
        assembled(TWO).accepted()
    (finding,) = refused.value.report.violations
    assert finding.code == "several-gateways"
    assert EX + "g" in finding.message and EX + "h" in finding.message
    assert finding.remedy == f"choose one: --gateway {EX}g"


def test_the_chosen_one_serves_its_own_routes_with_what_they_need() -> None:
    mesh = assembled(TWO, gateway=EX + "h").accepted()
    assert ([route.name for route in mesh.routes], [upstream.name for upstream in mesh.upstreams]) == (["b"], ["t"])


def test_a_route_that_no_gateway_has_is_told() -> None:
    found = assembled(TWO + 'ex:c a agw:Route ; agw:routePath "/c" ; agw:hasBackendService ex:s .', gateway=EX + "h")
    assert only_finding(found).code == "route-without-gateway"


def test_an_unknown_choice_names_the_nearest() -> None:
    finding = only_finding(assembled(TWO, gateway=EX + "hh"))
    assert (finding.code, finding.suggestion) == ("unknown-gateway", EX + "h")


def test_the_implied_gateway_may_be_named_where_there_is_no_other() -> None:
    text = 'ex:a a agw:Route ; agw:routePath "/a" .'
    assert assembled(text, gateway="urn:agw:gateway").accepted().iri == "urn:agw:gateway"
    found = assembled("ex:g a agw:ApiGateway .", gateway="urn:agw:gateway")
    assert only_finding(found).code == "unknown-gateway"


def test_gateway_settings() -> None:
    mesh = mesh_of("""ex:g a agw:ApiGateway ; agw:accessLogEnabled true ; agw:trustedProxy "10.0.0.0/8", "::1" ; agw:hasServiceMesh ex:m .
        ex:m a agw:ServiceMesh ; agw:meshType "linkerd" ; agw:sidecarPort 4140 ; agw:controlPlaneEndpoint "l5d:80" ;
          agw:meshNamespace "shop" ; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "STRICT" ] .""")
    assert mesh.access_log
    assert mesh.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert mesh.service_mesh and mesh.service_mesh.mesh_type is MeshType.LINKERD
    assert mesh.service_mesh.mtls and mesh.service_mesh.mtls.mode is MtlsMode.STRICT
    assert (mesh.service_mesh.sidecar_port, mesh.service_mesh.namespace) == (4140, "shop")


def test_the_only_mesh_of_a_graph_is_the_gateways() -> None:
    mesh = mesh_of(
        'ex:s a agw:BackendService ; agw:hasServiceMesh ex:m . ex:m a agw:ServiceMesh ; agw:meshType "consul" .'
    )
    assert mesh.service_mesh and mesh.service_mesh.mesh_type is MeshType.CONSUL


@pytest.mark.parametrize("block", ["10.0.0.1/8", "10.0.0.0/33", "example.com"])
def test_a_proxy_that_is_no_block_is_refused(block: str) -> None:
    finding = only_finding(assembled(f'ex:g a agw:ApiGateway ; agw:trustedProxy "{block}" .'))
    assert finding.value == block
    assert "no address block" in finding.message
