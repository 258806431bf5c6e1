from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import MetricsExport, MetricsFormat
from tests.support.configuration import EX, assembled, mesh_of

GATEWAY = 'ex:g a agw:ApiGateway . ex:a a agw:Route ; agw:routePath "/a" .'
EXPORT = f"{GATEWAY} ex:g agw:hasMetricsExport ex:e . ex:e a agw:MetricsExport ; agw:metricsCollector"


def test_without_one_nothing_is_sent() -> None:
    assert mesh_of(GATEWAY).metrics_export is None


@pytest.mark.parametrize(
    ("stated", "export"),
    [
        ('"http://c/v1/metrics" .', MetricsExport(EX + "e", "http://c/v1/metrics")),
        (
            '"http://c:4317" ; agw:metricsFormat "otlp-grpc" ; agw:metricsInterval "PT15S"^^xsd:dayTimeDuration .',
            MetricsExport(EX + "e", "http://c:4317", MetricsFormat.OTLP_GRPC, 15.0),
        ),
    ],
)
def test_what_is_stated(stated: str, export: MetricsExport) -> None:
    assert mesh_of(f"{EXPORT} {stated}").metrics_export == export


def test_a_collector_spoken_to_with_grpc_has_no_path() -> None:
    found = assembled(f'{EXPORT} "http://c:4317/v1/metrics" ; agw:metricsFormat "otlp-grpc" .').findings
    assert "collector-path" in [finding.code for finding in found]
