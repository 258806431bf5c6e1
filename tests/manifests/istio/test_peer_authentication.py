"""PeerAuthentications: the mesh's mode and the services' own."""

from __future__ import annotations

from api_gateway_service_mesh.manifests import render
from tests.support.istio import objects
from tests.support.mesh_model import published, shop


def test_the_mesh_and_each_service_that_states_a_mode() -> None:
    rendering = render(published(), "istio", allow_loss=True)
    for_mesh, for_service = objects(rendering, "PeerAuthentication")
    assert for_mesh["spec"] == {"mtls": {"mode": "STRICT"}}
    assert for_mesh["metadata"]["name"] == "default"
    assert for_service["spec"] == {
        "selector": {"matchLabels": {"app": "products-service"}},
        "mtls": {"mode": "STRICT"},
    }


def test_services_outside_the_cluster_or_with_their_own_certificate_get_none() -> None:
    named = {
        p["metadata"]["name"]: p["spec"]
        for p in objects(render(shop(), "istio", allow_loss=True), "PeerAuthentication")
    }
    assert named == {"orders-v1": {"selector": {"matchLabels": {"app": "orders"}}, "mtls": {"mode": "STRICT"}}}
    labelled = objects(
        render(published(), "istio", allow_loss=True, app_label="app.kubernetes.io/name"), "PeerAuthentication"
    )
    assert labelled[1]["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/name": "products-service"}}
