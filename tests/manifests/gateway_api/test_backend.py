"""What backends need: policies, grants, Services for addresses."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Endpoint, ServiceMesh, Upstream, UpstreamTls
from api_gateway_service_mesh.model.mesh import MeshType
from tests.manifests.gateway_api.test_gateway import CERTIFICATE, of_one
from tests.manifests.gateway_api.test_route import made, objects
from tests.support.mesh_model import shop
from tests.support.routes import EX


def test_backends_that_speak_tls_have_a_policy() -> None:
    end = Endpoint(EX + "pay", "pay.shop.svc.cluster.local", 443, tls=True)
    service = Upstream(EX + "pay", "ex:pay", (end,), tls=UpstreamTls(CERTIFICATE, "pay.example"))
    rendering = made(of_one(service))
    (policy,) = objects(rendering, "BackendTLSPolicy")
    assert policy["spec"]["validation"]["hostname"] == "pay.example"
    assert policy["spec"]["validation"]["caCertificateRefs"][0]["name"] == "site-ca"
    (found,) = objects(rendering, "Gateway")
    assert found["spec"]["tls"]["backend"]["clientCertificateRef"]["name"] == "site"
    (grant,) = objects(rendering, "ReferenceGrant")
    assert grant["metadata"]["namespace"] == "shop"


def test_services_of_the_own_namespace_need_no_grant() -> None:
    end = Endpoint(EX + "u", "users.shop.svc", 80)
    own = ServiceMesh(EX + "mesh", MeshType.ISTIO, namespace="shop")
    assert objects(made(of_one(Upstream(EX + "u", "ex:u", (end,)), service_mesh=own)), "ReferenceGrant") == []


def test_addresses_are_a_service_with_slices() -> None:
    rendering = made(shop())
    slices = {each["addressType"]: each for each in objects(rendering, "EndpointSlice")}
    assert [end["addresses"] for end in slices["IPv4"]["endpoints"]] == [["10.0.0.1"]]
    assert slices["IPv6"]["ports"][0]["port"] == 9201
    names = {each["metadata"]["name"] for each in objects(rendering, "Service")}
    assert {each["metadata"]["labels"]["kubernetes.io/service-name"] for each in slices.values()} <= names


def test_an_address_of_the_machine_itself_is_a_service_that_has_to_be_there() -> None:
    local = Upstream(EX + "users", "ex:users", (Endpoint(EX + "u", "127.0.0.1", 9101),))
    rendering = render(of_one(local), "gateway-api")
    assert objects(rendering, "Service") == objects(rendering, "EndpointSlice") == []
    assert any("'users' is taken to be there" in finding.message for finding in rendering.report.findings)


def test_tls_to_an_address_without_a_name_is_lost() -> None:
    end = Endpoint(EX + "e", "10.0.0.1", 443, tls=True)
    bare = Upstream(EX + "e", "ex:e", (end,))
    assert any("verifies names" in loss.message for loss in made(of_one(bare)).losses)
    named = replace(bare, tls=UpstreamTls(None, "e.example"))
    assert not any("verifies names" in loss.message for loss in made(of_one(named)).losses)
