"""Metrics that are pushed (``agw:MetricsExport``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import MetricsExport, MetricsFormat
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading
from .tracing import refuse_ungrpc

__all__ = ["MetricsRow", "metrics_exports"]


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """``metrics.rq``."""

    gateway: str
    export: str
    collector: str
    format: str | None
    interval: str | None


def metrics_exports(rows: Iterable[MetricsRow], reading: Reading) -> dict[str, MetricsExport]:
    """The export of each gateway that has one, by gateway IRI."""
    found: dict[str, MetricsExport] = {}
    for row in rows:
        if row.gateway in found:
            continue
        iri, standard = row.export, MetricsExport(row.export, row.collector)
        made = found[row.gateway] = MetricsExport(
            iri,
            row.collector,
            reading.choice(iri, AGW.metricsFormat, row.format, MetricsFormat, standard.format),
            reading.seconds(iri, AGW.metricsInterval, row.interval, standard.interval_seconds),
        )
        if made.format is MetricsFormat.OTLP_GRPC:
            refuse_ungrpc(iri, AGW.metricsCollector, made.collector, reading)
    return found
