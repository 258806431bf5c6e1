"""Metrics that are pushed (``agw:MetricsExport``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MetricsExport", "MetricsFormat"]


class MetricsFormat(StrEnum):
    """What a collector of metrics takes (``agw:metricsFormat``)."""

    OTLP_PROTOBUF = "otlp-protobuf"
    """OpenTelemetry over HTTP, in Protocol Buffers."""
    OTLP_GRPC = "otlp-grpc"
    """OpenTelemetry over gRPC."""


@dataclass(frozen=True, slots=True)
class MetricsExport:
    """Every ``interval_seconds`` all metrics are sent to the URL ``collector``."""

    iri: str
    collector: str
    format: MetricsFormat = MetricsFormat.OTLP_PROTOBUF
    interval_seconds: float = 60.0
