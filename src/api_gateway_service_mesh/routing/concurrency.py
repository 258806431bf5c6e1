"""What spares backend and gateway, in words: concurrency limits, the overload guard, and who goes first."""

from __future__ import annotations

from api_gateway_service_mesh.model import AdaptiveConcurrency, Mesh, RequestPriority, Route

from .part import Citation, Part, cite, number, unless_default

__all__ = ["concurrency_parts", "overload_parts"]


def concurrency_parts(route: Route) -> list[Part]:
    """The concurrency limit of a route, when it has one."""
    limit = route.concurrency
    if limit is None:
        return []
    standard = AdaptiveConcurrency("")
    cited = [cite(route.iri, "hasAdaptiveConcurrency", limit.iri), *_priority(route)]
    cited += unless_default(
        limit.iri,
        [
            ("minimumConcurrency", limit.minimum, standard.minimum),
            ("maximumConcurrency", limit.maximum, standard.maximum),
            ("latencyTolerance", limit.tolerance, standard.tolerance),
        ],
    )
    if limit.baseline_seconds != standard.baseline_seconds:
        cited.append(cite(limit.iri, "baselinePeriod", f"PT{number(limit.baseline_seconds)}S"))
    text = (
        f"{limit.minimum} to {limit.maximum} at once, while answers take at most {number(limit.tolerance)} times what "
        f"they take without a queue; priority {route.request_priority or RequestPriority.NORMAL}"
    )
    return [Part("concurrency", limit.iri, text, tuple(cited))]


def overload_parts(mesh: Mesh, route: Route) -> list[Part]:
    """The guard of the gateway, when it has one."""
    guard = mesh.overload
    if guard is None:
        return []
    priority = route.request_priority or RequestPriority.NORMAL
    cited = [cite(mesh.iri, "hasOverloadGuard", guard.iri), *_priority(route)]
    text = "never shed" if priority is RequestPriority.CRITICAL else f"shed under overload as {priority}"
    return [Part("overload guard", guard.iri, text, tuple(cited))]


def _priority(route: Route) -> list[Citation]:
    if route.request_priority in (None, RequestPriority.NORMAL):
        return []
    return [cite(route.iri, "requestPriority", str(route.request_priority))]
