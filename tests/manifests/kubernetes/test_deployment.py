"""The pods."""

from __future__ import annotations

from typing import Any

import yaml

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import Mesh
from tests.support.mesh_model import published, shop


def objects(mesh: Mesh, **options: Any) -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in render(mesh, "kubernetes", **options)]
    return {document["kind"]: document for document in documents}


def test_probes_ask_the_admin_port() -> None:
    (container,) = objects(shop())["Deployment"]["spec"]["template"]["spec"]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {
        "startup": {"path": "/startupz", "port": "admin"},
        "readiness": {"path": "/readyz", "port": "admin"},
        "liveness": {"path": "/livez", "port": "admin"},
    }
    arguments = container["args"]
    assert arguments[arguments.index("--admin-host") + 1] == "0.0.0.0"
    assert {"name": "AGW_ADMIN_TOKEN_FILE", "value": "/etc/agw-admin/token"} in container["env"]


def test_no_rights_that_it_does_not_need() -> None:
    spec = objects(shop())["Deployment"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["sysctls"]  # port 80 without a capability
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "sysctls" not in objects(published())["Deployment"]["spec"]["template"]["spec"]["securityContext"]


def test_in_an_istio_mesh_the_pods_get_a_sidecar() -> None:
    labels = objects(published())["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "true"


def test_the_configuration_comes_through_unchanged() -> None:
    text = '@prefix ex: <https://example.org/> .\nex:a ex:b """\ttab: - "#\n  --- ' + "\u2028" + '1e3""" .\n'
    found = objects(published(), config={"b.ttl": text, "a.ttl": "# nothing\n"})
    assert found["ConfigMap"]["data"] == {"a.ttl": "# nothing\n", "b.ttl": text}
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][:3] == ["serve", "/etc/agw/a.ttl", "/etc/agw/b.ttl"]
