"""What many ask for, reckoned once: rate, errors and latency of each route, rate and failures of each endpoint."""

from __future__ import annotations

from .alert import Rule
from .query import labelled

__all__ = ["recordings"]

_WINDOW = "5m"


def recordings(job: str) -> list[Rule]:
    """Named as Prometheus' guide has it: level, metric, operation."""
    of, errors = labelled(job=job), labelled(job=job, code_class="5xx")
    bucket = f"sum by (route, le) (rate(agw_request_duration_seconds_bucket{of}[{_WINDOW}]))"
    every = f"sum by (route) (rate(agw_requests_total{of}[{_WINDOW}]))"
    made = {
        "route:agw_requests:rate5m": every,
        "route:agw_errors:ratio_rate5m": (
            f"(sum by (route) (rate(agw_requests_total{errors}[{_WINDOW}])) or 0 * {every}) / {every}"
        ),
        "route:agw_request_duration_seconds:p50_5m": f"histogram_quantile(0.5, {bucket})",
        "route:agw_request_duration_seconds:p95_5m": f"histogram_quantile(0.95, {bucket})",
        "route:agw_request_duration_seconds:p99_5m": f"histogram_quantile(0.99, {bucket})",
    }
    for what in ("requests", "failures"):
        counted = f"sum by (endpoint) (rate(agw_endpoint_{what}_total{of}[{_WINDOW}]))"
        made[f"endpoint:agw_endpoint_{what}:rate5m"] = counted
    return [{"record": name, "expr": expression} for name, expression in made.items()]
