"""Who the pods are, and who may speak to them."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document

from .settings import Settings

__all__ = ["network_policy", "service_account"]


def service_account(settings: Settings) -> Document:
    """An account without rights and without a token in the pods: agw asks nothing of Kubernetes."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": settings.metadata(),
        "automountServiceAccountToken": False,
    }


def network_policy(settings: Settings) -> Document:
    """Anybody may come to the listeners; to the admin port only pods of the same namespace, and those of the namespace
    that scrapes. What goes out is not bound: to the backends, wherever they are."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": settings.metadata(),
        "spec": {
            "podSelector": {"matchLabels": settings.labels},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [{"port": port, "protocol": "TCP"} for _, port in settings.ports]},
                {
                    "from": [
                        {"podSelector": {}},
                        {
                            "namespaceSelector": {
                                "matchLabels": {"kubernetes.io/metadata.name": settings.monitoring_namespace}
                            }
                        },
                    ],
                    "ports": [{"port": settings.admin_port, "protocol": "TCP"}],
                },
            ],
        },
    }
