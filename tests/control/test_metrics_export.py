"""Metrics that a gateway, as people start it, pushes to a collector: what they say, and what a missing one costs."""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api_gateway_service_mesh.telemetry.otlp_metrics import METRICS_METHOD
from tests.support.collectors import otlp_collector
from tests.support.otlp import message
from tests.support.serving import serve_process, turtle

ExportMetricsServiceRequest = message("metrics.v1.ExportMetricsServiceRequest")
CONFIGURATION = """@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:shop a agw:ApiGateway ; agw:hasRoute ex:ping ; agw:hasMetricsExport ex:export .
ex:ping a agw:Route ; agw:routePath "/ping" ; agw:hasDirectResponse ex:pong .
ex:pong a agw:DirectResponse ; agw:responseBody "pong" .
ex:export a agw:MetricsExport ; agw:metricsCollector "@url@" ; agw:metricsInterval "PT0.2S"^^xsd:dayTimeDuration ;
    agw:metricsFormat "@form@" .
"""
ROUTE = "http://example.org/ping"


def until(met: Callable[[], object]) -> None:
    end = time.monotonic() + 30.0
    while not met():
        assert time.monotonic() < end
        time.sleep(0.1)


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def sent(admin: str, term: str) -> int:
    query = f"SELECT ?n {{ <http://example.org/export> <https://ggen.ai/ontology/api-gateway#{term}> ?n }}"
    request = urllib.request.Request(
        f"{admin}/sparql?query={urllib.parse.quote(query)}", headers={"Accept": "text/csv"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.read().split()[1])


def counted(taken: list[Any]) -> tuple[int, int]:
    """Requests of the route, by the counter and by the histogram of the newest message."""
    if not taken:
        return 0, 0
    metrics = {made.name: made for made in taken[-1].resource_metrics[0].scope_metrics[0].metrics}

    def of_route(points: Any) -> Any:
        return [
            point
            for point in points
            if (point.attributes[0].key, point.attributes[0].value.string_value) == ("route", ROUTE)
        ]

    requests = sum(point.as_int for point in of_route(metrics["agw_requests"].sum.data_points))
    timed = of_route(metrics["agw_request_duration_seconds"].histogram.data_points)
    return requests, sum(point.count for point in timed)


@pytest.mark.parametrize("form", ["otlp-protobuf", "otlp-grpc"])
def test_a_collector_gets_what_the_metrics_tell(form: str, tmp_path: Path) -> None:
    method = METRICS_METHOD if form == "otlp-grpc" else None
    file = tmp_path / "gateway.ttl"
    with otlp_collector(ExportMetricsServiceRequest, b"", method) as (url, taken):
        file.write_text(turtle(CONFIGURATION.replace("@url@", url).replace("@form@", form)))
        with serve_process(str(file), "--port", "0", "--admin-port", "0", "--workers", "1") as serving:
            for _ in range(3):
                assert fetched(f"http://127.0.0.1:{serving.port}/ping") == "pong"
            until(lambda: counted(taken) == (3, 3))
            admin = f"http://127.0.0.1:{serving.admin_port}"
            until(lambda: sent(admin, "metricsSentTotal") > 0)
            assert 'agw_metrics_exports_total{export="http://example.org/export",result="sent"} ' in fetched(
                f"{admin}/metrics"
            )
    told = {pair.key: pair.value.string_value for pair in taken[0].resource_metrics[0].resource.attributes}
    assert told["service.name"] == "shop" and told["service.instance.id"]


def test_a_collector_that_is_away_is_counted_and_costs_no_request(tmp_path: Path) -> None:
    with otlp_collector(ExportMetricsServiceRequest, b"") as (url, _):
        pass
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(CONFIGURATION.replace("@url@", url).replace("@form@", "otlp-protobuf")))
    with serve_process(str(file), "--port", "0", "--admin-port", "0", "--workers", "1") as serving:
        admin = f"http://127.0.0.1:{serving.admin_port}"
        until(lambda: sent(admin, "metricsUnsentTotal") > 1)
        assert fetched(f"http://127.0.0.1:{serving.port}/ping") == "pong"
        assert sent(admin, "metricsSentTotal") == 0
        serving.said("metrics do not reach")
