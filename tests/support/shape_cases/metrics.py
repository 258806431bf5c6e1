"""Metrics that are pushed."""

from __future__ import annotations

from .case import Case, duration, reference, right, warned, wrong

MADE = "ex:export a agw:MetricsExport"
WHOLE = f'{MADE} ; agw:metricsCollector "http://collector:4318/v1/metrics"'

METRICS: list[Case] = [
    *reference("hasMetricsExport", "ex:gateway", "MetricsExport", "must point to one MetricsExport"),
    *right(
        "metrics export",
        f"ex:gateway agw:hasMetricsExport ex:export . {WHOLE} .",
        f'{MADE} ; agw:metricsCollector "https://collector:4317" ; agw:metricsFormat "otlp-grpc" .',
    ),
    *wrong(
        "metrics export",
        (f"ex:route agw:hasMetricsExport ex:export . {WHOLE} .", "so nothing would be sent"),
        (
            f"ex:gateway agw:hasMetricsExport ex:export , ex:other . {WHOLE} . "
            f'ex:other a agw:MetricsExport ; agw:metricsCollector "http://c/" .',
            "must point to one MetricsExport",
        ),
        (f"{MADE} .", "needs one agw:metricsCollector"),
        (f'{MADE} ; agw:metricsCollector "collector:4318" .', "needs one agw:metricsCollector"),
        (f'{MADE} ; agw:metricsCollector "http://me:secret@collector/" .', "needs one agw:metricsCollector"),
        (f'{WHOLE} ; agw:metricsFormat "zipkin" .', "one of otlp-protobuf and otlp-grpc"),
        ('ex:route agw:metricsFormat "otlp-grpc" .', "belong to an agw:MetricsExport"),
    ),
    *duration("metricsInterval", WHOLE),
    *warned(
        "live metrics",
        (f"{WHOLE} ; agw:metricsSentTotal 5 .", "live state"),
        (f"{WHOLE} ; agw:metricsUnsentTotal 5 .", "live state"),
    ),
]
