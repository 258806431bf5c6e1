"""How many pods there are, and how many may go at once."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document

from .settings import Settings

__all__ = ["autoscaler", "disruption_budget"]


def autoscaler(settings: Settings) -> Document:
    """Pods by processor time: agw is bound by it. Fewer only after five quiet minutes, one at a time, as connections
    have to drain."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": settings.metadata(),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": settings.name},
            "minReplicas": settings.minimum,
            "maxReplicas": max(settings.minimum, settings.maximum),
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                }
            },
        },
    }


def disruption_budget(settings: Settings) -> Document:
    """One pod at a time may be evicted."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": settings.metadata(),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": settings.labels}},
    }
