"""The Service."""

from __future__ import annotations

from typing import Any

import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import shop


def objects(mesh: Mesh, **options: Any) -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in render(mesh, "kubernetes", **options)]
    return {document["kind"]: document for document in documents if not document["metadata"]["name"].endswith("-admin")}


def test_ports_are_the_listeners_and_never_the_admin_port() -> None:
    ports = objects(shop())["Service"]["spec"]["ports"]
    assert [(p["name"], p["port"], p["appProtocol"]) for p in ports] == [
        ("http-80", 80, "http"),
        ("https-8443", 8443, "https"),
    ]
