"""Metric text in both formats, read back by their grammar."""

from __future__ import annotations

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.telemetry import Family, Histogram, Kind, Pattern, Sample, render_metrics
from api_gateway_service_mesh.telemetry.metrics import cumulative

_SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (?P<value>\S+)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\n"])*)"')


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def read(text: str) -> list[tuple[str, dict[str, str], float]]:
    found = []
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            match = _SAMPLE.fullmatch(line)
            assert match, line
            labels = {name: unescaped(value) for name, value in _LABEL.findall(match["labels"] or "")}
            found.append((match["name"], labels, float(match["value"])))
    return found


@given(st.text(), st.floats(allow_nan=False) | st.integers(-(2**53), 2**53))
def test_labels_and_values_survive(label: str, value: float) -> None:
    text = render_metrics([Family("agw_x", "Help\\ with\nlines.", Kind.GAUGE, [Sample(value, (("route", label),))])])
    assert read(text) == [("agw_x", {"route": label}, float(value))]


def test_counters_are_named_as_each_format_wants() -> None:
    family = Family("agw_requests", 'Says "how many".', Kind.COUNTER, [Sample(3)])
    assert render_metrics([family]) == (
        '# HELP agw_requests_total Says "how many".\n# TYPE agw_requests_total counter\nagw_requests_total 3\n'
    )
    assert render_metrics([family], openmetrics=True) == (
        '# HELP agw_requests Says \\"how many\\".\n# TYPE agw_requests counter\nagw_requests_total 3\n# EOF\n'
    )


def test_info() -> None:
    family = Family("agw_build", "B.", Kind.INFO, [Sample(1, (("v", "1"),))])
    assert "# TYPE agw_build_info gauge\nagw_build_info{" in render_metrics([family])
    assert "# TYPE agw_build info\nagw_build_info{" in render_metrics([family], openmetrics=True)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_histograms_are_cumulative(counts: list[int]) -> None:
    samples = [Histogram((0.1, 1.0, 10.0), counts, 2.5, (("route", "r"),)), Histogram((0.1,), [0, 0], 0.0)]
    text = render_metrics([Family("agw_seconds", "S.", Kind.HISTOGRAM, samples[:1])])
    plain = render_metrics([Family("agw_seconds", "S.", Kind.HISTOGRAM, samples[1:])])
    assert 'agw_seconds_bucket{le="0.1"} 0\nagw_seconds_bucket{le="+Inf"} 0\nagw_seconds_sum 0\n' in plain
    values = [value for name, _, value in read(text) if name == "agw_seconds_bucket"]
    assert values == sorted(values)
    assert values[-1] == sum(counts) == read(text)[-1][2]
    assert 'le="+Inf"' in text
    assert 'le="1"' in text
    assert not any(math.isinf(value) for value in values)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), st.integers(0, 2**53))
def test_a_pattern_writes_what_samples_would(label: str, count: int) -> None:
    rows = [(("state", "100%"),), (("state", 'a "b"\\'), ("more", "m"))]
    pattern = Pattern("agw_x", Kind.COUNTER, "route", rows)
    samples = [Sample(count + at, (("route", label), *row)) for at, row in enumerate(rows)]
    lines = pattern.lines(label, (count, count + 1))
    for openmetrics in (False, True):
        made = render_metrics([Family("agw_x", "X.", Kind.COUNTER, (), (lines,))], openmetrics=openmetrics)
        assert made == render_metrics([Family("agw_x", "X.", Kind.COUNTER, samples)], openmetrics=openmetrics)


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.floats(0, 1e6))
def test_a_pattern_of_a_histogram_writes_what_it_would(counts: list[int], total: float) -> None:
    bounds = (0.1, 1.0)
    lines = Pattern.histogram("agw_seconds", "route", bounds).lines("r", cumulative(counts, total))
    sample = Histogram(bounds, counts, total, (("route", "r"),))
    made = render_metrics([Family("agw_seconds", "S.", Kind.HISTOGRAM, (), (lines,))])
    assert made == render_metrics([Family("agw_seconds", "S.", Kind.HISTOGRAM, [sample])])
