"""When somebody should look: alerts of every gateway, of what a configuration has, and of what it promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api_gateway_service_mesh.model import Mesh, Objective
from api_gateway_service_mesh.policies import BUCKET_SECONDS

from .query import labelled

__all__ = ["Rule", "always", "objective_alerts", "stated"]

Rule = dict[str, Any]

#: Severity, how many times too fast, the longer window and the shorter (Site Reliability Workbook, chapter 5).
_BURNS = (("critical", 14.4, "1h", "5m"), ("warning", 6.0, "6h", "30m"))
_WINDOWS = {"5m": "PT5M", "30m": "PT30M", "1h": "PT1H", "6h": "PT6H"}


def always(job: str) -> list[Rule]:
    """What goes wrong with any gateway."""
    of = labelled(job=job)
    is_open = labelled(job=job, state="OPEN")
    return [
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


def stated(mesh: Mesh, job: str) -> Iterator[Rule]:
    """What goes wrong with what `mesh` has."""
    yield _alert(
        "AgwDown", f"up{labelled(job=job)} == 0", "1m", "critical", "The gateway {{ $labels.instance }} is not scraped."
    )
    if any(upstream.health is not None or upstream.outlier is not None for upstream in mesh.upstreams):
        ill = labelled(job=job, state="UNHEALTHY")
        yield _alert(
            "AgwEndpointUnhealthy",
            f"max by (endpoint) (agw_endpoint_health{ill}) == 1",
            "5m",
            "warning",
            "The endpoint {{ $labels.endpoint }} has been unhealthy for five minutes.",
        )
    if any(upstream.discovery is not None for upstream in mesh.upstreams):
        stale = labelled(job=job, state="STALE")
        yield _alert(
            "AgwDiscoveryStale",
            f"max by (discovery) (agw_discovery_state{stale}) == 1",
            "2m",
            "warning",
            "The registry of {{ $labels.discovery }} does not answer; the last instances are in use.",
        )
    if mesh.registrations:
        lost = labelled(job=job, state="LOST")
        yield _alert(
            "AgwRegistrationLost",
            f"max by (registration) (agw_registration_state{lost}) == 1",
            "2m",
            "warning",
            "The registry does not have the gateway's entry {{ $labels.registration }}.",
        )
    if mesh.logs:
        dropped = labelled(job=job, result="dropped")
        yield _alert(
            "AgwLogLinesDropped",
            f"increase(agw_access_log_lines_total{dropped}[15m]) > 0",
            "0m",
            "warning",
            "Lines of the access log were dropped: whoever takes them is too slow, or away.",
        )
    if any(route.tracing is not None for route in mesh.routes):
        dropped = labelled(job=job, result="dropped")
        yield _alert(
            "AgwSpansDropped",
            f"increase(agw_spans_total{dropped}[15m]) > 0",
            "15m",
            "warning",
            "The collector of {{ $labels.tracing }} does not take spans.",
        )


def objective_alerts(mesh: Mesh, job: str) -> list[Rule]:
    """A burning budget, for each target of each objective: fast, and slowly but surely."""
    names = {route.iri: route.name for route in mesh.routes} | {each.iri: each.name for each in mesh.upstreams}
    routes = {route.iri for route in mesh.routes}
    made: list[Rule] = []
    for objective in mesh.objectives:
        for subject in objective.subjects:
            about = {"objective": objective.iri, "route" if subject in routes else "service": subject}
            for indicator, target in (("availability", objective.availability), ("latency", objective.latency)):
                if target is None:
                    continue
                for severity, factor, long, short in _BURNS:
                    told = [
                        _burning(objective, indicator, target, about, window, job, factor) for window in (long, short)
                    ]
                    name = names.get(subject, subject)
                    summary = f"{name} burns its {indicator} budget more than {factor:g} times too fast."
                    made.append(
                        {
                            "alert": "AgwObjectiveBurnsFast" if severity == "critical" else "AgwObjectiveBurns",
                            "expr": " and ".join(told),
                            "labels": {"severity": severity, "indicator": indicator, **about},
                            "annotations": {"summary": summary},
                        }
                    )
    return made


def _burning(
    objective: Objective, indicator: str, target: float, about: dict[str, str], window: str, job: str, factor: float
) -> str:
    """That the budget burned `factor` times too fast in a window. Of a route Prometheus knows all that it takes, longer
    than a gateway remembers; but for thresholds between the histogram's bounds, and services, it takes its word."""
    route, seconds = about.get("route"), objective.threshold_seconds
    if route is not None and (indicator == "availability" or seconds in BUCKET_SECONDS):
        if indicator == "availability":
            missed = labelled(job=job, route=route, code_class="5xx")
            every = labelled(job=job, route=route)
            share = (
                f"(sum(rate(agw_requests_total{missed}[{window}])) or vector(0))"
                f" / sum(rate(agw_requests_total{every}[{window}]))"
            )
        else:
            assert seconds is not None
            quick = labelled(job=job, route=route, le=f"{seconds:g}")
            every = labelled(job=job, route=route)
            share = (
                f"1 - sum(rate(agw_request_duration_seconds_bucket{quick}[{window}]))"
                f" / sum(rate(agw_request_duration_seconds_count{every}[{window}]))"
            )
        return f"({share}) > {factor * (1 - target):.6g}"
    told = labelled(job=job, indicator=indicator, window=_WINDOWS[window], **about)
    return f"max(agw_objective_burn_rate{told}) > {factor:g}"


def _alert(name: str, expression: str, lasting: str, severity: str, summary: str) -> Rule:
    made: Rule = {"alert": name, "expr": expression}
    if lasting != "0m":
        made["for"] = lasting
    made["labels"] = {"severity": severity}
    made["annotations"] = {"summary": summary}
    return made
