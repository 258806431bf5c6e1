"""Turns by weight."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.schedule import Spread, schedule

WEIGHTS = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(WEIGHTS)
def test_a_round_has_exact_shares_and_no_rush(weights: list[int]) -> None:
    turns = schedule(range(len(weights)), weights)
    taken = Counter(turns[position] for position in range(len(turns)))
    assert all(taken[index] * sum(weights) == weight * len(turns) for index, weight in enumerate(weights))
    for index, weight in enumerate(weights):  # never further from its share than one turn of each other
        done = 0
        for position in range(len(turns)):
            done += turns[position] == index
            assert abs(done - (position + 1) * weight / sum(weights)) < len(weights)


def test_many_endpoints_are_spread_without_a_table() -> None:
    weights = [1 + index % 7 for index in range(1000)]
    turns = schedule(range(1000), weights)
    assert isinstance(turns, Spread)
    count = 100_000
    taken = Counter(turns[position] for position in range(count))
    assert all(taken[i] == pytest.approx(count * w / sum(weights), abs=6) for i, w in enumerate(weights))
