"""Latency averages: slow is noticed at once, forgiven with time, and failing fast is not fast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.latency import FAILURE_SECONDS, LATENCY_CELLS, PeakLatency


def latency() -> PeakLatency:
    return PeakLatency(CellStore.local(LATENCY_CELLS).view, 0, 10.0)


def test_a_peak_counts_whole_and_fades() -> None:
    average = latency()
    average.record(0.010, True, 0.0)
    average.record(0.500, True, 0.1)
    assert average.seconds(0.1) == pytest.approx(0.5)
    average.record(0.010, True, 1.1)
    assert 0.4 < average.seconds(1.1) < 0.5
    assert average.seconds(31.1) < 0.03


def test_failing_fast_is_not_fast() -> None:
    average = latency()
    average.record(0.001, False, 0.0)
    assert average.seconds(0.0) == FAILURE_SECONDS


def test_nothing_is_known_before_the_first_sample() -> None:
    assert latency().seconds(5.0) == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 5.0)), min_size=1, max_size=20))
def test_the_average_stays_within_what_was_seen(samples: list[tuple[float, float]]) -> None:
    average, now = latency(), 100.0
    for seconds, pause in samples:
        now += pause
        average.record(seconds, True, now)
    assert average.seconds(now) <= max(seconds for seconds, _ in samples) + 1e-9
