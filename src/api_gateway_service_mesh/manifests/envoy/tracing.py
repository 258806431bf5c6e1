"""Tracing: how many requests Envoy traces, how a trace travels on, and who is sent the spans.

Envoy has one tracer for all routes, each of which says which share of its requests it traces.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.model import Propagation, Route, TraceFormat, Tracing
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context
from .secret import SYSTEM_ROOTS
from .typed import TRANSPORT, Json, extension, seconds, typed

__all__ = ["collector_clusters", "manager_tracing", "route_tracing"]

_COLLECTOR: Final = "agw.traces"
_SEND_SECONDS: Final = 5.0
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SPOKEN: Final = {
    TraceFormat.OTLP: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.OTLP_PROTOBUF: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.OTLP_GRPC: {Propagation.TRACE_CONTEXT, Propagation.BAGGAGE},
    TraceFormat.ZIPKIN: {Propagation.B3_MULTI},
}
"""How a trace travels with each of Envoy's tracers; baggage passes through."""


def _tracer(context: Context) -> Tracing | None:
    """The tracing whose collector gets the spans: the first that names one."""
    stated = (route.tracing for route in context.routes)
    return next((each for each in stated if each is not None and each.collector is not None), None)


def manager_tracing(context: Context) -> Json:
    """The tracer of a connection manager; nothing where nobody gets spans."""
    tracing = _tracer(context)
    if tracing is None or tracing.collector is None:
        return {}
    _report(context, tracing)
    service = tracing.service or context.mesh.name
    parts = urlsplit(tracing.collector)
    if tracing.format is not TraceFormat.ZIPKIN:
        sent: Json = {"uri": tracing.collector, "cluster": _COLLECTOR, "timeout": seconds(_SEND_SECONDS)}
        way: Json = {"http_service": {"http_uri": sent}}  # in Protocol Buffers: who reads OTLP over HTTP reads them
        if tracing.format is TraceFormat.OTLP_GRPC:
            way = {"grpc_service": {"envoy_grpc": {"cluster_name": _COLLECTOR}, "timeout": seconds(_SEND_SECONDS)}}
        kind = "envoy.config.trace.v3.OpenTelemetryConfig"
        provider = extension("envoy.tracers.opentelemetry", kind, **way, service_name=service)
    else:
        provider = extension(
            "envoy.tracers.zipkin",
            "envoy.config.trace.v3.ZipkinConfig",
            collector_cluster=_COLLECTOR,
            collector_endpoint=parts.path or "/",
            collector_hostname=parts.netloc,
            collector_endpoint_version="HTTP_JSON",
            trace_id_128bit=True,
            shared_span_context=False,
        )
    whole = {"value": 100.0}
    share = {"client_sampling": {"value": 0.0}, "random_sampling": whole, "overall_sampling": whole}
    return {"tracing": {"provider": provider, **share, "spawn_upstream_span": True}}


def route_tracing(context: Context, route: Route) -> Json:
    """The share of a route's requests that is traced."""
    tracer = _tracer(context)
    if tracer is None:
        if route.tracing is not None:
            message = f"{route.name}: without a collector Envoy begins no trace, and lets through what callers send"
            context.say(differs(route.tracing.iri, AGW.hasTracing, message, "state agw:traceCollector"))
        return {}
    rate = route.tracing.sampling_rate if route.tracing is not None else 0.0
    share = {"numerator": round(rate * 1_000_000), "denominator": "MILLION"}
    made: dict[str, Any] = {"client_sampling": {"numerator": 0}, "random_sampling": share}
    if route.tracing is None:
        made["overall_sampling"] = {"numerator": 0}
    else:
        _compare(context, route, route.tracing, tracer)
    return {"tracing": made}


def collector_clusters(context: Context) -> dict[str, Json]:
    """Where spans are sent."""
    tracing = _tracer(context)
    if tracing is None or tracing.collector is None:
        return {}
    parts = urlsplit(tracing.collector)
    host, secure = parts.hostname or "", parts.scheme == "https"
    usual = 4317 if tracing.format is TraceFormat.OTLP_GRPC else 443 if secure else 80
    place = {"socket_address": {"address": host, "port_value": parts.port or usual}}
    made: Json = {
        "name": _COLLECTOR,
        "type": "STRICT_DNS",
        "connect_timeout": seconds(_SEND_SECONDS),
        "load_assignment": {
            "cluster_name": _COLLECTOR,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": place}}]}],
        },
    }
    if tracing.format is TraceFormat.OTLP_GRPC:
        second: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
        made["typed_extension_protocol_options"] = {_HTTP_OPTIONS: typed(_HTTP_OPTIONS, **second)}
    if secure:
        checked = {
            "trusted_ca": {"filename": SYSTEM_ROOTS},
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
        }
        made["transport_socket"] = extension(
            "envoy.transport_sockets.tls",
            f"{TRANSPORT}.tls.v3.UpstreamTlsContext",
            sni=host,
            common_tls_context={
                "validation_context": checked,
                **({"alpn_protocols": ["h2"]} if tracing.format is TraceFormat.OTLP_GRPC else {}),
            },
        )
    return {_COLLECTOR: made}


def _compare(context: Context, route: Route, stated: Tracing, tracer: Tracing) -> None:
    for term, own, its in (
        (AGW.traceCollector, stated.collector, tracer.collector),
        (AGW.traceFormat, stated.format, tracer.format),
        (AGW.tracedServiceName, stated.service, tracer.service),
    ):
        if own != its:
            message = f"{route.name}: Envoy has one tracer for all routes, that of {tracer.iri}"
            context.say(lost(stated.iri, term, message, "state one agw:hasTracing for all routes"))
    if not stated.parent_based:
        message = f"{route.name}: Envoy goes by what a request says of itself, whether it is sampled"
        context.say(lost(stated.iri, AGW.parentBasedSampling, message, "leave agw:parentBasedSampling true"))
    if stated.sample_errors:
        message = f"{route.name}: Envoy decides about a trace when the request begins, not when it has failed"
        context.say(lost(stated.iri, AGW.sampleErrors, message, "sample in the collector (tail sampling)"))


def _report(context: Context, tracing: Tracing) -> None:
    spoken = _SPOKEN[tracing.format]
    if not set(tracing.propagation) <= spoken:
        words = ", ".join(sorted(spoken))
        message = f"with {tracing.format.value} Envoy carries traces on by {words}, and by no other field"
        context.say(differs(tracing.iri, AGW.tracePropagation, message))
