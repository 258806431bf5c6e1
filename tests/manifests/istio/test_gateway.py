"""The Gateway, and when there is none."""

from __future__ import annotations

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Endpoint, MtlsMode, Upstream
from tests.support.istio import objects, one
from tests.support.mesh_model import published, shop
from tests.support.routes import EX, mesh, route


def test_servers_are_the_listeners() -> None:
    plain, secure = one(render(shop(), "istio", allow_loss=True, selector={"app": "edge"}), "Gateway")["spec"][
        "servers"
    ]
    assert plain == {"port": {"number": 80, "name": "http-80", "protocol": "HTTP"}, "hosts": ["*"]}
    assert secure["port"]["protocol"] == "HTTPS"
    assert secure["tls"] == {"mode": "OPTIONAL_MUTUAL", "credentialName": "server-cert"}
    assert one(render(shop(), "istio", allow_loss=True, selector={"app": "edge"}), "Gateway")["spec"]["selector"] == {
        "app": "edge"
    }
    assert one(render(published(), "istio", allow_loss=True), "Gateway")["spec"]["servers"][0]["port"]["number"] == 8080


def test_without_listeners_named_hosts_hang_on_the_sidecars() -> None:
    upstream = Upstream(EX + "u", "ex:u", (Endpoint(EX + "u", "u", 80),), mtls_mode=MtlsMode.PERMISSIVE)
    rendering = render(mesh(route("a", "/", hosts=("u",), upstream=upstream.iri), upstreams=(upstream,)), "istio")
    assert not objects(rendering, "Gateway")
    assert "gateways" not in one(rendering, "VirtualService")["spec"]
    assert "tls" not in one(rendering, "DestinationRule")["spec"]["trafficPolicy"]
