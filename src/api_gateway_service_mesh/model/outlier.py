"""Passive health: who answers badly is left alone for a while (``agw:OutlierDetection``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OutlierDetection"]


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """When an endpoint is ejected, and for how long; see `policies.outlier`.

    ``consecutive_errors`` and ``consecutive_gateway_errors`` 0: not judged by them. ``success_rate_factor`` (standard
    deviations below the mean) and ``failure_percentage`` None: not judged by them; they look at what came in one
    ``interval_seconds``, at endpoints with ``minimum_requests`` or more, when ``minimum_hosts`` or more have so many.
    """

    iri: str
    consecutive_errors: int = 5
    consecutive_gateway_errors: int = 0
    interval_seconds: float = 10.0
    base_ejection_seconds: float = 30.0
    maximum_ejection_seconds: float = 300.0
    maximum_ejection_percent: int = 50
    success_rate_factor: float | None = None
    failure_percentage: int | None = None
    minimum_hosts: int = 5
    minimum_requests: int = 100
