"""What a share of a route's traffic counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.share import SHARE_BOUNDS, SHARE_CELLS, ShareCounters, ShareTotals, read_share


def totals(seconds: list[float], errors: int = 0) -> ShareTotals:
    view = CellStore.local(SHARE_CELLS).view
    counters = ShareCounters(view, 0)
    for number, one in enumerate(seconds):
        counters.observe(500 if number < errors else 200, one)
    return read_share(view, 0, 1)


def test_workers_add_up_and_a_client_that_went_away_says_nothing() -> None:
    view = CellStore.local(2 * SHARE_CELLS).view
    ShareCounters(view, 0, 0).observe(200, 0.01)
    ShareCounters(view, 0, 1).observe(503, 0.02)
    ShareCounters(view, 0, 1).observe(0, 9.0)
    found = read_share(view, 0, 2)
    assert (found.requests, found.errors, found.error_rate) == (2, 1, 0.5)
    assert found.seconds == pytest.approx(0.03)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.001, 20.0), min_size=5, max_size=200), st.integers(50, 99))
def test_a_percentile_is_right_to_within_its_bucket(seconds: list[float], percentile: int) -> None:
    exact = sorted(seconds)[-(-len(seconds) * percentile // 100) - 1]
    assert exact / 1.26 <= totals(seconds).latency(percentile) <= exact * 1.26


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 60.0), max_size=40), st.lists(st.floats(0.0, 60.0), max_size=40))
def test_growth_is_what_was_added(before: list[float], after: list[float]) -> None:
    grown = totals(before + after) - totals(before)
    assert grown.requests == len(after)
    assert sum(grown.buckets) == len(after)
    assert (grown + totals(before)).buckets == totals(before + after).buckets
    assert ShareTotals.of(grown.cells()) == grown


def test_what_is_slower_than_every_bound_counts_as_the_last() -> None:
    assert totals([1000.0]).latency(95) == pytest.approx(SHARE_BOUNDS[-1])
    assert ShareTotals().latency(95) == 0.0
    assert ShareTotals().error_rate == 0.0
