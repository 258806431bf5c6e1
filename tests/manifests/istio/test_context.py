"""Every object leads back to the graph."""

from __future__ import annotations

import yaml

from api_gateway_service_mesh.manifests import render
from tests.support.istio import objects
from tests.support.mesh_model import shop
from tests.support.routes import EX


def test_every_object_leads_back_to_the_graph() -> None:
    for manifest in render(shop(), "istio", allow_loss=True):
        annotations = yaml.safe_load(manifest.text)["metadata"]["annotations"]
        assert annotations["agw.ggen.ai/gateway"] == EX + "gateway"
    service = next(
        s
        for s in objects(render(shop(), "istio", allow_loss=True), "VirtualService")
        if s["spec"]["hosts"] == ["shop.example.com"]
    )
    assert service["metadata"]["annotations"]["agw.ggen.ai/routes"].split()[0] == service["spec"]["http"][0]["name"]
