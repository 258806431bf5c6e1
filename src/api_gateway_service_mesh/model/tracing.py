"""Distributed tracing (``agw:DistributedTracing``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Propagation", "TraceFormat", "Tracing"]


class Propagation(StrEnum):
    """A way in which a trace travels with a request: the words of ``agw:tracePropagation``."""

    TRACE_CONTEXT = "tracecontext"
    """``traceparent`` and ``tracestate`` (W3C Trace Context)."""
    BAGGAGE = "baggage"
    """``baggage`` (W3C Baggage)."""
    B3 = "b3"
    """``b3``, in one field."""
    B3_MULTI = "b3multi"
    """``X-B3-TraceId`` and the fields beside it."""
    JAEGER = "jaeger"
    """``uber-trace-id``."""


class TraceFormat(StrEnum):
    """What a collector takes (``agw:traceFormat``)."""

    OTLP = "otlp"
    """OpenTelemetry over HTTP, as JSON."""
    OTLP_PROTOBUF = "otlp-protobuf"
    """OpenTelemetry over HTTP, in Protocol Buffers."""
    OTLP_GRPC = "otlp-grpc"
    """OpenTelemetry over gRPC."""
    ZIPKIN = "zipkin"
    """Zipkin's JSON, version 2."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Of the requests a share of ``sampling_rate`` (0 to 1) is traced; with ``parent_based``, those that say
    themselves whether they are go by that. ``sample_errors``: those answered with 500 and above always are.

    ``propagation``: read in this order, the first that is there counts; all are written. ``collector``: the URL that
    spans are sent to, None: nobody gets any. ``service``: what the gateway is called there, None: its own name.
    """

    iri: str
    sampling_rate: float = 1.0
    propagation: tuple[Propagation, ...] = (Propagation.TRACE_CONTEXT, Propagation.BAGGAGE)
    parent_based: bool = True
    sample_errors: bool = False
    collector: str | None = None
    format: TraceFormat = TraceFormat.OTLP
    service: str | None = None
