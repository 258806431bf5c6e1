"""Metric families in Protocol Buffers, read with OpenTelemetry's own messages."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.telemetry import Family, Histogram, Kind, Pattern, Sample
from api_gateway_service_mesh.telemetry.metrics import cumulative
from api_gateway_service_mesh.telemetry.otlp_metrics import otlp_metrics, unit_of
from tests.support.otlp import message

ExportMetricsServiceRequest = message("metrics.v1.ExportMetricsServiceRequest")
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


def read(*families: Family) -> list[Any]:
    found = ExportMetricsServiceRequest.FromString(otlp_metrics(families, {"service.name": "g"}, 1.0, 2.5))
    (resource,) = found.resource_metrics
    assert resource.resource.attributes[0].value.string_value == "g"
    return list(resource.scope_metrics[0].metrics)


def labels(point: Any) -> dict[str, str]:
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000_000_000, 2_500_000_000)
    return {pair.key: pair.value.string_value for pair in point.attributes}


@given(texts, st.integers(0, 2**53), st.floats(allow_nan=False, allow_infinity=False))
def test_counters_are_sums_and_all_else_is_a_gauge(label: str, count: int, level: float) -> None:
    told = (("route", label),)
    lines = Pattern("agw_requests", Kind.COUNTER, "route", [(("result", "100%"),)]).lines(label, (count,))
    counter, gauge, info = read(
        Family("agw_requests", "R.", Kind.COUNTER, [Sample(count, told)], (lines,)),
        Family("agw_pressure_seconds", "P.", Kind.GAUGE, [Sample(level, told)]),
        Family("agw_build", "B.", Kind.INFO, [Sample(1, told)]),
    )
    assert (counter.name, counter.description, counter.unit) == ("agw_requests", "R.", "")
    assert counter.sum.is_monotonic and counter.sum.aggregation_temporality == 2
    assert [(labels(point), point.as_int) for point in counter.sum.data_points] == [
        ({"route": label}, count),
        ({"route": label, "result": "100%"}, count),
    ]
    (point,) = gauge.gauge.data_points
    assert (labels(point), getattr(point, point.WhichOneof("value"))) == ({"route": label}, level)
    assert (gauge.unit, info.name) == ("s", "agw_build_info")


@given(texts, st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.floats(0, 1e6))
def test_histograms_have_their_bounds(label: str, counts: list[int], total: float) -> None:
    bounds = (0.1, 1.0)
    lines = Pattern.histogram("agw_d_seconds", "route", bounds).lines(label, cumulative(counts, total))
    sample = Histogram(bounds, counts, total, (("route", label),))
    (made,) = read(Family("agw_d_seconds", "D.", Kind.HISTOGRAM, [sample], (lines, lines)))
    assert made.histogram.aggregation_temporality == 2 and made.unit == "s"
    assert len(made.histogram.data_points) == 3
    for point in made.histogram.data_points:
        assert labels(point) == {"route": label}
        assert (list(point.explicit_bounds), list(point.bucket_counts)) == (list(bounds), counts)
        assert (point.count, point.sum) == (sum(counts), total)


def test_what_has_no_sample_is_not_sent() -> None:
    assert read(Family("agw_x", "X.", Kind.COUNTER)) == []
    assert [unit_of(name) for name in ("agw_body_bytes", "agw_requests")] == ["By", ""]
