"""A real API server of Kubernetes takes the manifests (``--dry-run=server``, unknown fields refused)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from api_gateway_service_mesh.manifests import TARGETS, Manifest, render
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.model.codec import decode
from tests.support.kube_apiserver import CRDS, ApiServer, api_server, needs_definitions, needs_kubernetes
from tests.support.mesh_model import published, shop

pytestmark = [needs_kubernetes, pytest.mark.timeout(900)]
ACCEPTED = Path(__file__).parents[1] / "golden" / "accepted"
CASES = sorted(path.parent.name for path in ACCEPTED.glob("*/model.json"))
#: Kinds that Kubernetes has by itself; the rest needs definitions of custom resources.
OWN = ("v1", "apps/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1", "discovery.k8s.io/v1")
CANARIES = (("istio", "flagger"),)
#: Groups whose definitions are in no module: test_golden.py holds their manifests to the schemas, where those are.
ELSEWHERE = {"consul.hashicorp.com", "policy.linkerd.io", "linkerd.io"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@cache
def manifests() -> tuple[tuple[str, Manifest], ...]:
    return tuple(_manifests())


def _manifests() -> Iterator[tuple[str, Manifest]]:
    meshes = {case: decode(Mesh, json.loads((ACCEPTED / case / "model.json").read_text())) for case in CASES}
    for name, mesh in {**meshes, "published-model": published(), "shop-model": shop()}.items():
        for target in sorted(TARGETS.keys() - {"envoy"}):
            config = {"config": "@prefix ex: <urn:ex:> .\n"} if target == "kubernetes" else {}
            for manifest in render(mesh, target, allow_loss=True, **config):
                yield f"{name}: {manifest.path}", manifest
    for target, canary in CANARIES:
        for manifest in render(meshes["canary"], target, allow_loss=True, canary=canary):
            yield f"{canary}: {manifest.path}", manifest


def version_of(manifest: Manifest) -> str:
    """Its apiVersion, which stands in its first line."""
    return manifest.text.partition("\n")[0].removeprefix("apiVersion: ").strip('"')


def refused(server: ApiServer, documents: dict[str, str]) -> dict[str, str]:
    """What the server says against each of the manifests that it does not take."""
    spaces = {yaml.safe_load(text)["metadata"].get("namespace", "default") for text in documents.values()}
    for space in sorted(spaces):
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
    said = {name: server.refusal(text) for name, text in documents.items()}
    return {name: answer for name, answer in said.items() if answer is not None}


def test_what_kubernetes_knows_by_itself_is_taken(server: ApiServer) -> None:
    documents = {name: m.text for name, m in manifests() if version_of(m) in OWN}
    assert refused(server, documents) == {}
    assert len(documents) > 60


@needs_definitions
def test_what_the_meshes_define_is_taken(server: ApiServer) -> None:
    """With the official definitions installed, and the rules (CEL) in them."""
    groups = server.define(CRDS)
    documents, unknown = {}, set()
    for name, manifest in manifests():
        version = version_of(manifest)
        group = version.partition("/")[0]
        if group in groups:
            documents[name] = manifest.text
        elif version not in OWN:
            unknown.add(group)
    assert refused(server, documents) == {}
    assert unknown <= ELSEWHERE
    assert len(documents) > 100
    route = next(text for text in documents.values() if "\nkind: HTTPRoute" in text)
    assert "spec.rulez" in str(server.refusal(route.replace("  rules:", "  rulez:", 1)))


def test_a_misspelt_field_is_refused(server: ApiServer) -> None:
    (text, *_) = [m.text for _, m in manifests() if "kind: Deployment" in m.text]
    assert "unknown field" in str(server.refusal(text.replace("  selector:", "  selectorr: {}\n  selector:", 1))) or (
        "field not declared" in str(server.refusal(text.replace("  selector:", "  selectorr: {}\n  selector:", 1)))
    )
