"""A real API server of Kubernetes takes the manifests (``--dry-run=server``, unknown fields refused)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api_gateway_service_mesh.manifests import TARGETS, Manifest, render
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from tests.support.kube_apiserver import ApiServer, api_server, needs_kubernetes
from tests.support.mesh_model import published, shop

pytestmark = [needs_kubernetes, pytest.mark.timeout(240)]
ACCEPTED = Path(__file__).parents[1] / "golden" / "accepted"
CASES = sorted(path.parent.name for path in ACCEPTED.glob("*/model.json"))
#: Kinds that Kubernetes has by itself; the rest needs CRDs, whose schemas test_golden.py holds the manifests to.
OWN = ("v1", "apps/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1", "discovery.k8s.io/v1")
SPACES = ("shop", "far", "payments", "mesh")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


def manifests() -> Iterator[tuple[str, Manifest]]:
    meshes = {case: decode(Mesh, json.loads((ACCEPTED / case / "model.json").read_text())) for case in CASES}
    for name, mesh in {**meshes, "published-model": published(), "shop-model": shop()}.items():
        for target in sorted(TARGETS.keys() - {"envoy"}):
            config = {"config": "@prefix ex: <urn:ex:> .\n"} if target == "kubernetes" else {}
            for manifest in render(mesh, target, allow_loss=True, **config):
                yield f"{name}: {manifest.path}", manifest


def test_what_kubernetes_knows_by_itself_is_taken(server: ApiServer) -> None:
    refused, taken = {}, 0
    for name, manifest in manifests():
        document = yaml.safe_load(manifest.text)
        if document["apiVersion"] not in OWN:
            continue
        space = document["metadata"].get("namespace", "default")
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        said = server.refusal(manifest.text)
        taken += 1
        if said is not None:
            refused[name] = said
    assert refused == {}
    assert taken > 60


def test_a_misspelt_field_is_refused(server: ApiServer) -> None:
    (text, *_) = [m.text for _, m in manifests() if "kind: Deployment" in m.text]
    assert "unknown field" in str(server.refusal(text.replace("  selector:", "  selectorr: {}\n  selector:", 1))) or (
        "field not declared" in str(server.refusal(text.replace("  selector:", "  selectorr: {}\n  selector:", 1)))
    )
