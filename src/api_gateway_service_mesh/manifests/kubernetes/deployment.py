"""The Deployment: agw with probes, without rights it does not need."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.model import MeshType

from .settings import DEFAULT_PORT, Settings

__all__ = ["deployment"]

_FOLDER = "/etc/agw"
_ADMIN_FOLDER = "/etc/agw-admin"
_SCRATCH = "/run/agw"  # the one place that can be written to
_UNPRIVILEGED = 1024
_UNTIL_UNLISTED_SECONDS = 5
_DRAIN_SECONDS = 45  # longer than both that and the drain of agw, so that the kubelet never cuts it short


def deployment(settings: Settings) -> Document:
    """The pods. The number of pods is the autoscaler's; a changed ConfigMap is live without a new pod, because ``agw
    serve`` watches its files."""
    security: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if any(port < _UNPRIVILEGED for _, port in settings.ports):
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    labels = dict(settings.labels)
    mesh = settings.mesh.service_mesh
    if mesh is not None and mesh.mesh_type is MeshType.ISTIO:
        labels["sidecar.istio.io/inject"] = "true"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": settings.metadata(),
        "spec": {
            "selector": {"matchLabels": settings.labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": settings.name,
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": _DRAIN_SECONDS,
                    "securityContext": security,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": key,
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": settings.labels},
                        }
                        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
                    ],
                    "containers": [_container(settings)],
                    "volumes": [
                        {"name": "config", "configMap": {"name": f"{settings.name}-config"}},
                        {"name": "admin", "secret": {"secretName": settings.admin_secret}},
                        {"name": "scratch", "emptyDir": {}},
                    ],
                },
            },
        },
    }


def _container(settings: Settings) -> dict[str, Any]:
    arguments = ["serve", *(f"{_FOLDER}/{file}" for file in settings.files)]
    if not settings.mesh.listeners:
        arguments += ["--host", "0.0.0.0", "--port", str(DEFAULT_PORT)]
    arguments += ["--admin-host", "0.0.0.0", "--admin-port", str(settings.admin_port)]
    ports = [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in settings.ports]
    ports.append({"name": "admin", "containerPort": settings.admin_port, "protocol": "TCP"})
    return {
        "name": "agw",
        "image": settings.image,
        "command": ["agw"],
        "args": arguments,
        # The kubelet probes from outside the pod's loopback; there the admin port asks everything else for a token.
        "env": [
            {"name": "AGW_ADMIN_TOKEN_FILE", "value": f"{_ADMIN_FOLDER}/token"},
            {"name": "TMPDIR", "value": _SCRATCH},
        ],
        "ports": ports,
        # Start-up may take a minute for a large graph; from then on a stuck process is replaced within half a minute.
        # A pod that ends still gets new connections until every node has heard of it: it goes on accepting meanwhile.
        "lifecycle": {"preStop": {"sleep": {"seconds": _UNTIL_UNLISTED_SECONDS}}},
        "startupProbe": _probe("/startupz", period=2, failures=30),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": _FOLDER, "readOnly": True},
            {"name": "admin", "mountPath": _ADMIN_FOLDER, "readOnly": True},
            {"name": "scratch", "mountPath": _SCRATCH},
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "admin"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
