"""How Prometheus' operator learns of the metrics, and what it tells people of."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document

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
    of = f'{{job="{settings.name}-admin"}}'
    is_open = f'{{job="{settings.name}-admin",state="OPEN"}}'
    rules = [
        _alert("AgwConfigurationRefused", f"increase(agw_config_rejected_total{of}[15m]) > 0", "0m", "warning",
               "A changed configuration was refused; the one before is still served."),
        _alert("AgwWorkersFailing", f"agw_workers_failing{of} > 0", "2m", "critical",
               "Workers of the data plane do not start, or end again."),
        _alert("AgwGatewayErrors",
               f"sum(rate(agw_gateway_errors_total{of}[5m])) / sum(rate(agw_requests_total{of}[5m])) > 0.05", "10m",
               "warning", "More than 5 of 100 requests got no answer of a backend."),
        _alert("AgwBreakerOpen", f"max by (breaker) (agw_breaker_state{is_open}) == 1", "5m", "warning",
               "The circuit breaker {{ $labels.breaker }} has been open for five minutes."),
        _alert("AgwCertificateExpires",
               f"min by (certificate) (agw_certificate_expiry_timestamp_seconds{of}) - time() < 7 * 86400", "1h",
               "critical", "The certificate {{ $labels.certificate }} ends within seven days."),
    ]  # fmt: skip
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": settings.metadata(),
        "spec": {"groups": [{"name": "agw", "rules": rules}]},
    }


def _alert(name: str, expression: str, lasting: str, severity: str, summary: str) -> dict[str, Any]:
    made: dict[str, Any] = {"alert": name, "expr": expression}
    if lasting != "0m":
        made["for"] = lasting
    made["labels"] = {"severity": severity}
    made["annotations"] = {"summary": summary}
    return made
