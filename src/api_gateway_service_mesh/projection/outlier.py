"""Outlier detection (``agw:OutlierDetection``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api_gateway_service_mesh.model import OutlierDetection
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading

__all__ = ["OutlierRow", "outlier_detections"]


@dataclass(frozen=True, slots=True)
class OutlierRow:
    """``outlier.rq``."""

    outlier: str
    errors: str | None
    gateway_errors: str | None
    interval: str | None
    base_time: str | None
    maximum_time: str | None
    maximum_percent: str | None
    success_factor: str | None
    failure_percentage: str | None
    minimum_hosts: str | None
    minimum_requests: str | None


def outlier_detections(rows: Iterable[OutlierRow], reading: Reading) -> dict[str, OutlierDetection]:
    """Outlier detections by IRI."""
    found: dict[str, OutlierDetection] = {}
    for row in rows:
        if row.outlier not in found:
            found[row.outlier] = _detection(row, reading)
    return found


def _detection(row: OutlierRow, reading: Reading) -> OutlierDetection:
    iri, usual = row.outlier, OutlierDetection(row.outlier)
    return OutlierDetection(
        iri,
        reading.integer(iri, AGW.consecutiveErrors, row.errors, usual.consecutive_errors),
        reading.integer(iri, AGW.consecutiveGatewayErrors, row.gateway_errors, usual.consecutive_gateway_errors),
        reading.seconds(iri, AGW.outlierInterval, row.interval, usual.interval_seconds),
        reading.seconds(iri, AGW.baseEjectionTime, row.base_time, usual.base_ejection_seconds),
        reading.seconds(iri, AGW.maximumEjectionTime, row.maximum_time, usual.maximum_ejection_seconds),
        reading.integer(iri, AGW.maximumEjectionPercent, row.maximum_percent, usual.maximum_ejection_percent),
        None if row.success_factor is None else reading.number(iri, AGW.successRateFactor, row.success_factor, 1.9),
        None if row.failure_percentage is None else _percentage(row, reading),
        reading.integer(iri, AGW.outlierMinimumHosts, row.minimum_hosts, usual.minimum_hosts),
        reading.integer(iri, AGW.outlierMinimumRequests, row.minimum_requests, usual.minimum_requests),
    )


def _percentage(row: OutlierRow, reading: Reading) -> int:
    return reading.integer(row.outlier, AGW.failurePercentage, row.failure_percentage, 100)
