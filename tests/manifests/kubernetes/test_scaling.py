"""Autoscaler and disruption budget."""

from __future__ import annotations

from typing import Any

import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import published


def objects(mesh: Mesh, **options: Any) -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in render(mesh, "kubernetes", **options)]
    return {document["kind"]: document for document in documents}


def test_bounds() -> None:
    found = objects(published(), minimum=3, maximum=2)
    spec = found["HorizontalPodAutoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 3)
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
