"""Faults made on purpose: one filter for each fault that a route may have."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.gap import lost
from api_gateway_service_mesh.model import Fault, Route
from api_gateway_service_mesh.vocabulary import AGW

from .condition import header_matcher
from .context import Context
from .typed import FILTER, Json, extension, seconds, typed

__all__ = ["fault_filters", "route_faults"]

_MILLION = 10_000


def _name(number: int) -> str:
    return "agw.fault" if not number else f"agw.fault.{number + 1}"


def fault_filters(context: Context) -> list[Json]:
    """As many filters as the route with the most faults has; each does nothing unless a route says so."""
    most = max((len(route.faults) for route in context.routes), default=0)
    return [extension(_name(number), f"{FILTER}.fault.v3.HTTPFault") for number in range(most)]


def route_faults(context: Context, route: Route) -> dict[str, Any]:
    """A route's own configuration of those filters."""
    for fault in route.faults:
        for term, percent in ((AGW.resetPercent, fault.reset_percent), (AGW.truncatePercent, fault.truncate_percent)):
            if percent:
                message = f"{route.name}: Envoy's fault filter delays and aborts; it breaks no connection"
                context.say(lost(fault.iri, term, message, "state agw:abortStatus, or keep agw in front"))
    return {_name(number): _fault(fault) for number, fault in enumerate(route.faults)}


def _fault(fault: Fault) -> Json:
    made: Json = {}
    if fault.delay_seconds:
        made["delay"] = {"fixed_delay": seconds(fault.delay_seconds), "percentage": _percent(fault.delay_percent)}
    if fault.abort_status is not None:
        made["abort"] = {"http_status": fault.abort_status, "percentage": _percent(fault.abort_percent)}
    if fault.triggered_by:
        made["headers"] = [header_matcher(condition) for condition in fault.triggered_by]
    return typed(f"{FILTER}.fault.v3.HTTPFault", **made)


def _percent(share: float) -> Json:
    return {"numerator": round(share * _MILLION), "denominator": "MILLION"}
