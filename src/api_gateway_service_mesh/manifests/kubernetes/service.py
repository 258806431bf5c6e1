"""The Service in front of the pods. The admin port is not in it: it stays within the pod's network."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document

from .settings import Settings

__all__ = ["service"]


def service(settings: Settings) -> Document:
    """The gateway's ports, under the listeners' numbers."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": settings.metadata(),
        "spec": {
            "type": "ClusterIP",
            "selector": settings.labels,
            "ports": [
                {
                    "name": name,
                    "port": port,
                    "targetPort": name,
                    "protocol": "TCP",
                    "appProtocol": "https" if name.startswith("https") else "http",
                }
                for name, port in settings.ports
            ],
        },
    }
