"""Routes of the gateway's Service, with what Linkerd does when they fail."""

from __future__ import annotations

from typing import Any

import yaml

from api_gateway_service_mesh.manifests import Rendering, render
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import published, shop
from tests.support.routes import mesh, route


def made(of: Mesh, **options: Any) -> Rendering:
    return render(of, "linkerd", allow_loss=True, **options)


def objects(rendering: Rendering, kind: str) -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in rendering]
    return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}


def test_retries_are_annotations_of_what_may_be_sent_twice() -> None:
    found = objects(made(published()), "HTTPRoute")
    assert set(found) == {"gateway-products", "gateway-products-unsent"}
    notes = found["gateway-products"]["metadata"]["annotations"]
    assert (notes["retry.linkerd.io/limit"], notes["retry.linkerd.io/timeout"]) == ("3", "2s")
    assert "gateway-error" in notes["retry.linkerd.io/http"]
    assert "retry.linkerd.io/http" not in found["gateway-products-unsent"]["metadata"]["annotations"]
    (rule,) = found["gateway-products"]["spec"]["rules"]
    assert rule["timeouts"]["request"] == "10s"
    assert rule["backendRefs"] == [{"name": "products-service", "port": 8080}]


def test_hosts_are_lost_and_what_any_host_sees_is_written() -> None:
    rendering = made(shop())
    assert any("by the host" in loss.message for loss in rendering.losses)
    assert "gateway-me" not in objects(rendering, "HTTPRoute")
    named = mesh(route("a", "/a", hosts=("a.example",)))
    assert set(objects(made(named), "HTTPRoute")) == {"gateway-a"}
