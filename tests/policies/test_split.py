"""Traffic split: shares, and callers that stay."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import SplitTarget
from api_gateway_service_mesh.policies.key import key_hash
from api_gateway_service_mesh.policies.split import Splitter


def splitter(*weights: int) -> Splitter:
    return Splitter([SplitTarget(f"ex:s{n}", f"ex:u{n}", weight) for n, weight in enumerate(weights)])


def test_the_number_decides() -> None:
    machine = splitter(90, 10)
    assert [machine.choose(rand) for rand in (0.0, 0.5, 0.8999, 0.9, 0.9999)] == [0, 0, 0, 1, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=6).filter(any))
def test_shares_are_the_weights(weights: list[int]) -> None:
    machine, draws = splitter(*weights), 1000
    # An even comb over [0, 1) is what random numbers converge to.
    counts = Counter(machine.choose((draw + 0.5) / draws) for draw in range(draws))
    for index, weight in enumerate(weights):
        assert abs(counts[index] - draws * weight / sum(weights)) <= 1.0
        assert weight or not counts[index]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any), st.floats(0, 1, exclude_max=True))
def test_there_is_always_a_target_with_weight(weights: list[int], rand: float) -> None:
    assert weights[splitter(*weights).choose(rand)] > 0


def test_random_shares_converge() -> None:
    machine, rng = splitter(90, 10), random.Random(7)
    canary = sum(machine.choose(rng.random()) for _ in range(20_000)) / 20_000
    assert canary == pytest.approx(0.1, abs=0.01)


def test_sticky_callers_stay_and_only_move_towards_what_grew() -> None:
    before, after = splitter(90, 10), splitter(80, 20)
    keys = [key_hash(f"caller-{n}") for n in range(4000)]
    assert all(before.choose_sticky(key) == before.choose_sticky(key) for key in keys)
    moved = [(before.choose_sticky(key), after.choose_sticky(key)) for key in keys]
    assert (1, 0) not in moved
    assert sum(new for _, new in moved) / len(keys) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("weights", [(), (0,), (0, 0)])
def test_a_split_without_weight_is_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        splitter(*weights)


def test_status_line() -> None:
    assert repr(splitter(90, 10)) == "<Splitter ex:u0=90 ex:u1=10>"
