"""ServiceEntries: what Kubernetes does not know."""

from __future__ import annotations

from api_gateway_service_mesh.manifests import render
from tests.support.istio import objects
from tests.support.mesh_model import shop


def test_services_outside_the_cluster() -> None:
    entries = {
        e["metadata"]["name"]: e["spec"] for e in objects(render(shop(), "istio", allow_loss=True), "ServiceEntry")
    }
    assert entries["payments"] == {
        "hosts": ["api.payments.example"],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": 443, "name": "https-443", "protocol": "HTTPS"}],
        "resolution": "DNS",
    }
    assert entries["search"]["resolution"] == "STATIC"
    assert entries["search"]["endpoints"] == [
        {"address": "10.0.0.1", "weight": 3},
        {"address": "2001:db8::1", "ports": {"http-9200": 9201}},
    ]
    assert set(entries) == {"payments", "search"}
