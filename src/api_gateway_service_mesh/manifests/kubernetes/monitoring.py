"""How Prometheus' operator learns of the metrics, and what it tells people of."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.prometheus.alert import always

from .settings import Settings

__all__ = ["admin_service", "prometheus_rule", "service_monitor"]


def admin_service(settings: Settings) -> Document:
    """The admin ports by name, pod by pod: for scraping, never for the world."""
    made = settings.metadata("-admin")
    made["labels"] = {**settings.labels, "app.kubernetes.io/component": "admin", "app.kubernetes.io/managed-by": "agw"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": made,
        "spec": {
            "clusterIP": "None",
            "selector": settings.labels,
            "ports": [{"name": "admin", "port": settings.admin_port, "targetPort": "admin", "protocol": "TCP"}],
        },
    }


def service_monitor(settings: Settings) -> Document:
    """``/metrics`` of each pod, with the token of the admin port."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": settings.metadata(),
        "spec": {
            "selector": {"matchLabels": {**settings.labels, "app.kubernetes.io/component": "admin"}},
            "endpoints": [
                {
                    "port": "admin",
                    "path": "/metrics",
                    "interval": "30s",
                    "authorization": {
                        "type": "Bearer",
                        "credentials": {"name": settings.admin_secret, "key": "token"},
                    },
                }
            ],
        },
    }


def prometheus_rule(settings: Settings) -> Document:
    """What somebody should look at: a refused configuration, errors, an open breaker, certificates that end."""
    rules = always(f"{settings.name}-admin")
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": settings.metadata(),
        "spec": {"groups": [{"name": "agw", "rules": rules}]},
    }
