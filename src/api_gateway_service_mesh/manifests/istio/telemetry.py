"""Telemetry: the access log where the gateway keeps one, and how many requests are traced."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.model import Propagation, TraceFormat, Tracing
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["telemetries"]

_SPOKEN = {
    TraceFormat.OTLP: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.OTLP_PROTOBUF: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.OTLP_GRPC: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.ZIPKIN: {Propagation.B3_MULTI},
}
"""How a trace travels with each of Istio's providers."""


def telemetries(context: Context) -> list[Document]:
    """One for the ingress gateway's pods; none when nothing is logged and nothing is traced."""
    spec: dict[str, Any] = {}
    if context.mesh.access_log:  # by Envoy's own log provider
        spec["accessLogging"] = [{"providers": [{"name": "envoy"}]}]
    if tracing := _tracing(context):
        spec["tracing"] = [tracing]
    if not spec:
        return []
    if context.gateway_bound:
        spec = {"selector": {"matchLabels": context.selector}, **spec}
    return [
        {
            "apiVersion": "telemetry.istio.io/v1",
            "kind": "Telemetry",
            "metadata": metadata(context.name, context.namespace, gateway=context.mesh.iri),
            "spec": spec,
        }
    ]


def _tracing(context: Context) -> dict[str, Any] | None:
    """Istio traces all that a workload serves, or nothing of it: the tracing that is first in the order of routes."""
    stated = {tracing.iri: tracing for route in context.mesh.routes if (tracing := route.tracing) is not None}
    if not stated:
        return None
    first = next(iter(stated.values()))
    for route in context.mesh.routes:
        if route.tracing is None:
            message = f"{route.name}: Istio traces a workload as a whole, and so this route too"
            context.findings.append(differs(route.iri, AGW.hasTracing, message))
        elif route.tracing != first:
            message = (
                f"{route.name}: Istio traces a workload as a whole, by {first.iri}; {route.tracing.iri} is left out"
            )
            context.findings.append(lost(route.iri, AGW.hasTracing, message, "state one agw:hasTracing for all routes"))
    _report(context, first)
    return {
        "providers": [{"name": _provider(first)}],
        "randomSamplingPercentage": round(first.sampling_rate * 100, 4),
    }


def _provider(tracing: Tracing) -> str:
    return f"agw-{tracing.format.value}"


def _report(context: Context, tracing: Tracing) -> None:
    iri, found = tracing.iri, context.findings
    name, where = _provider(tracing), tracing.collector or "a collector"
    message = f"spans go to the provider {name!r}, which meshConfig.extensionProviders has to define for {where}"
    remedy = "add it to the installation's meshConfig"
    found.append(differs(iri, AGW.traceCollector, message, remedy))
    if not set(tracing.propagation) <= _SPOKEN[tracing.format]:
        spoken = ", ".join(sorted(_SPOKEN[tracing.format]))
        message = f"with {tracing.format.value} Istio carries traces on by {spoken}, and by no other field"
        found.append(differs(iri, AGW.tracePropagation, message))
    if not tracing.parent_based:
        message = "Istio goes by what a request says of itself, whether it is sampled"
        found.append(lost(iri, AGW.parentBasedSampling, message, "leave agw:parentBasedSampling true"))
    if tracing.sample_errors:
        message = "Istio decides about a trace when the request begins, not when it has failed"
        found.append(lost(iri, AGW.sampleErrors, message, "sample in the collector (tail sampling)"))
    if tracing.service is not None:
        message = f"Istio calls services by their workloads, and not {tracing.service!r}"
        found.append(differs(iri, AGW.tracedServiceName, message))
