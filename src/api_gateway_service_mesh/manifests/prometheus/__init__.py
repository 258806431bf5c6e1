"""Prometheus: what to scrape, what to reckon once for all, and when somebody should look.

It says nothing of what the gateway does to requests, so nothing of a configuration can be lost; but each rule is made
only where the configuration has what it is about, and objectives become alerts by their own targets.
"""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.manifests.document import Manifest, Rendering, yaml_text
from api_gateway_service_mesh.model import Mesh

from .alert import always, objective_alerts, stated
from .record import recordings

__all__ = ["render_prometheus"]


def render_prometheus(mesh: Mesh, *, namespace: str | None = None, job: str = "agw") -> Rendering:
    """``prometheus.yml`` and the rules that it names; `job` is what the gateway is scraped as."""
    groups: list[dict[str, Any]] = [
        {"name": "agw", "rules": [*always(job), *stated(mesh, job)]},
        {"name": "agw-recorded", "rules": recordings(job)},
    ]
    held = objective_alerts(mesh, job)
    if held:
        groups.append({"name": "agw-objectives", "rules": held})
    scraped: dict[str, Any] = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": ["127.0.0.1:9901"]}]}],
    }
    return Rendering(
        (
            Manifest("prometheus/rules.yml", yaml_text({"groups": groups})),
            Manifest("prometheus/prometheus.yml", yaml_text(scraped)),
        ),
        Report(),
    )
