"""Metric families as OTLP's metrics: counters are monotonic sums and histograms have explicit bounds, both cumulative.

Names are those of ``/metrics`` without ``_total``, and the unit is stated beside them, so that whoever turns OTLP into
Prometheus' names (OpenTelemetry, "Prometheus and OpenMetrics Compatibility") comes to those of ``/metrics`` again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .metrics import Family, Histogram, Kind, Sample
from .otlp import attributes, otlp_request
from .protobuf import doubles, fixed64, fixed64s, message, number, real, text, whole
from .span import Value

__all__ = ["METRICS_METHOD", "otlp_metrics", "unit_of"]

METRICS_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_CUMULATIVE = number(2, 2)
_LINE = re.compile(r"[a-zA-Z0-9_:]+?(_bucket|_sum|_count|_total)?(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_UNITS = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}

Labels = tuple[tuple[str, str], ...]


def otlp_metrics(families: Iterable[Family], resource: Mapping[str, Value], began: float, now: float) -> bytes:
    """All of a scrape as one request. `began`: since when counters count; both in seconds since 1970."""
    start, at = fixed64(2, int(began * 1e9)), fixed64(3, int(now * 1e9))
    return otlp_request([made for family in families if (made := _metric(family, start + at))], resource)


def unit_of(name: str) -> str:
    """The unit that a metric's name says, as UCUM has it; a count says none."""
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def _metric(family: Family, times: bytes) -> bytes:
    if family.kind is Kind.HISTOGRAM:
        points = b"".join(message(1, _histogram(each, times)) for each in _histograms(family))
        data = message(9, points + _CUMULATIVE)
    else:
        points = b"".join(
            message(1, attributes(7, labels) + times + _number(value)) for labels, value in _points(family)
        )
        counter = family.kind is Kind.COUNTER
        data = message(7, points + _CUMULATIVE + number(3, 1)) if counter else message(5, points)
    if not points:
        return b""
    name = family.name + ("_info" if family.kind is Kind.INFO else "")
    return text(1, name) + text(2, family.help) + text(3, unit_of(name)) + data


def _number(value: float) -> bytes:
    return whole(6, int(value)) if float(value).is_integer() and abs(value) < 2**63 else real(4, value)


def _points(family: Family) -> Iterator[tuple[Labels, float]]:
    for sample in family.samples:
        assert isinstance(sample, Sample)
        yield tuple(sample.labels), sample.value
    for _, labels, value in _read(family.lines):
        yield labels, value


def _histograms(family: Family) -> Iterator[Histogram]:
    for sample in family.samples:
        assert isinstance(sample, Histogram)
        yield sample
    bounds: list[float] = []
    reached: list[int] = []
    total = 0.0
    for suffix, labels, value in _read(family.lines):
        if suffix == "_bucket":
            bounds.append(float(labels[-1][1]))
            reached.append(int(value))
        elif suffix == "_sum":
            total = value
        else:  # the count, the last of them
            counts = [this - before for before, this in zip((0, *reached), reached, strict=False)]
            yield Histogram(tuple(bounds[:-1]), counts, total, labels)
            bounds, reached = [], []


def _histogram(found: Histogram, times: bytes) -> bytes:
    shape = fixed64s(6, [int(count) for count in found.counts]) + doubles(7, found.bounds)
    return attributes(9, tuple(found.labels)) + times + fixed64(4, sum(found.counts)) + real(5, found.total) + shape


def _read(lines: Iterable[str]) -> Iterator[tuple[str, Labels, float]]:
    """Lines that are text already (`metrics.Pattern`): what the name ends with, labels, value."""
    for block in lines:
        for line in block.split("\n"):
            found = _LINE.fullmatch(line)
            assert found is not None, line
            suffix, labels, value = found.groups()
            pairs = tuple((name, _ESCAPED.sub(_plain, said)) for name, said in _LABEL.findall(labels or ""))
            yield suffix or "", pairs, float(value)


def _plain(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]
