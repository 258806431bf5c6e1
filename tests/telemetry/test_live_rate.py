"""Live rates: what a thinned record of growing counters says of the last seconds and minutes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.telemetry.live_rate import LIVE_TIERS, WINDOWS, Series, quantile, rate_of

BOUNDS = (0.01, 0.1, 1.0)


def counted(requests: float, errors: float = 0.0) -> tuple[float, ...]:
    return requests, errors, 0.0, requests, 0.0, 0.0


@settings(max_examples=60)
@given(st.lists(st.integers(0, 50), min_size=320, max_size=700), st.sampled_from(WINDOWS))
def test_a_window_has_what_was_counted_in_it_to_a_tenth(each_second: list[int], window: float) -> None:
    series = Series(LIVE_TIERS, 0.0, counted(0), 0.0)
    total, totals = 0, [0]
    for second, requests in enumerate(each_second, 1):
        total += requests
        totals.append(total)
        series.add(float(second), counted(float(total)))
    now = float(len(each_second))
    over, grown = series.since(now, window)
    assert window <= over <= window * 1.1 + 1.0
    assert grown[0] == total - totals[int(now - over)]
    assert sum(map(len, series.samples)) <= 40


def test_a_young_record_is_divided_by_its_age() -> None:
    series = Series(LIVE_TIERS, 100.0, counted(0), 100.0)
    series.add(105.0, counted(50, 5))
    rate = rate_of(series, 105.0, 60.0, BOUNDS)
    assert rate is not None
    assert (rate.per_second, rate.error_share) == (10.0, 0.1)
    assert rate.latency is not None
    assert 0.01 < rate.latency[0] < rate.latency[1] < rate.latency[2] <= 0.1


def test_a_window_without_a_request_has_no_rate() -> None:
    series = Series(LIVE_TIERS, 0.0, counted(0), 0.0)
    series.add(1.0, counted(7))
    for second in range(2, 30):
        series.add(float(second), series.latest)
    assert rate_of(series, 29.0, 10.0, BOUNDS) is None
    assert rate_of(series, 29.0, 60.0, BOUNDS) is not None
    assert not series.quiet(29.0)
    assert series.quiet(400.0)


def test_counters_that_begin_anew_are_never_negative() -> None:
    series = Series(LIVE_TIERS, 0.0, counted(500), 0.0)
    series.add(5.0, counted(3))
    series.add(6.0, counted(8))
    over, grown = series.since(6.0, 60.0)
    assert (over, grown[0]) == (1.0, 5)


@pytest.mark.parametrize(
    ("buckets", "share", "wanted"),
    [((0, 0, 0, 0), 0.5, 0.0), ((10, 0, 0, 0), 0.5, 0.005), ((0, 10, 0, 10), 0.5, 0.1), ((0, 0, 0, 1), 0.99, 1.0)],
)
def test_a_quantile_is_spread_over_its_bucket(buckets: tuple[int, ...], share: float, wanted: float) -> None:
    assert quantile(BOUNDS, buckets, share) == pytest.approx(wanted)
