"""Traffic split: shares, and callers that stay."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Canary, CanaryStep, SplitTarget
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.key import key_hash
from api_gateway_service_mesh.policies.split import CanarySplitter, Splitter


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


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(0, 4), st.integers(1, 50))
def test_only_the_moved_share_changes_side_however_many_there_are(weights: list[int], which: int, more: int) -> None:
    which %= len(weights)
    grown = [weight + more * (index == which) for index, weight in enumerate(weights)]
    before, after = splitter(*weights), splitter(*grown)
    keys = [key_hash(f"caller-{n}") for n in range(600)]
    moved = [(old, new) for key in keys if (old := before.choose_sticky(key)) != (new := after.choose_sticky(key))]
    assert {new for _, new in moved} <= {which}
    share = grown[which] / sum(grown) - weights[which] / sum(weights)
    assert len(moved) / len(keys) == pytest.approx(share, abs=0.08)


def canaried(*weights: int) -> tuple[CanarySplitter, memoryview]:
    canary = SplitTarget("ex:c", "ex:new", 0, canary=Canary("ex:c", (CanaryStep("ex:step", 10),)))
    view = CellStore.local(8).view
    others = [SplitTarget(f"ex:s{n}", f"ex:u{n}", weight) for n, weight in enumerate(weights)]
    return CanarySplitter([*others, canary], view, 3), view


@pytest.mark.parametrize("weight", [0.0, 1.0, 25.0, 100.0])
def test_a_canarys_weight_is_what_the_cell_says_now(weight: float) -> None:
    machine, view = canaried(60, 40)
    view[3] = weight
    counts = Counter(machine.choose((draw + 0.5) / 1000) for draw in range(1000))
    assert counts[2] == 10 * weight
    assert counts[0] == pytest.approx(0.6 * (1000 - counts[2]), abs=1)
    assert [machine.weight(index) for index in range(3)] == pytest.approx(
        [0.6 * (100 - weight), 0.4 * (100 - weight), weight]
    )
    keys = [key_hash(f"caller-{n}") for n in range(2000)]
    assert sum(machine.choose_sticky(key) == 2 for key in keys) / 2000 == pytest.approx(weight / 100, abs=0.03)


def test_callers_move_to_a_growing_canary_and_back_to_where_they_were() -> None:
    machine, view = canaried(60, 40)
    keys = [key_hash(f"caller-{n}") for n in range(1000)]
    sides = []
    for weight in (0.0, 10.0, 50.0, 0.0):
        view[3] = weight
        sides.append([machine.choose_sticky(key) for key in keys])
    assert all(
        new in (old, 2)
        for earlier, later in ((0, 1), (1, 2))
        for old, new in zip(sides[earlier], sides[later], strict=True)
    )
    assert sides[0] == sides[3]
    assert repr(machine) == "<CanarySplitter ex:u0=60 ex:u1=40 ex:new=0>"
