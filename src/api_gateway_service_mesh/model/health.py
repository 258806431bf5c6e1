"""Active health checks (``agw:HealthCheck``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HealthCheck"]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """GET ``path`` every ``interval_seconds``; 2xx within ``timeout_seconds`` counts as success."""

    iri: str
    path: str = "/health"
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    success_threshold: int = 1
    failure_threshold: int = 3
