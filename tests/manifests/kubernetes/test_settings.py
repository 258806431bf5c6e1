"""The objects fit each other."""

from __future__ import annotations

from typing import Any

import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import shop


def objects(mesh: Mesh, **options: Any) -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in render(mesh, "kubernetes", **options)]
    # Of two of a kind the gateway's own; test_monitoring.py has the other.
    return {document["kind"]: document for document in documents if not document["metadata"]["name"].endswith("-admin")}


def test_the_parts_fit_each_other() -> None:
    found = objects(shop(), config="@prefix ex: <https://example.org/> .\n")
    assert set(found) == {
        "Certificate", "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Issuer", "NetworkPolicy",
        "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor",
    }  # fmt: skip
    assert (
        found["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"]
        == found["ServiceAccount"]["metadata"]["name"]
    )
    pod = found["Deployment"]["spec"]["template"]
    selector = found["Deployment"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    assert found["Service"]["spec"]["selector"] == selector
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http-80": 80, "https-8443": 8443, "admin": 9901}
    assert all(len(name) <= 15 for name in ports)
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == {"http-80", "https-8443"}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["config"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    assert "replicas" not in found["Deployment"]["spec"]  # the autoscaler's


def test_what_has_to_be_made_by_hand_is_told() -> None:
    remedies = "\n".join(f.remedy or "" for f in render(shop(), "kubernetes").report.findings)
    assert "kubectl create configmap gateway-config" in remedies
    assert "kubectl create secret generic gateway-admin" in remedies
    assert "mount a Secret" in remedies
