"""Retry budgets: what they grant, over workers and over time, and that they damp a storm."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Retry
from api_gateway_service_mesh.policies.budget import BUDGET_CELLS, WINDOW_SECONDS, RetryBudget, read_budget
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.retry import Failure, RetryPolicy
from tests.support.clock import Clock


def budget(percent: float = 20.0, minimum: float = 0.0) -> RetryBudget:
    return RetryBudget(percent, minimum, CellStore.local(BUDGET_CELLS).view, 0)


def test_a_share_of_the_requests() -> None:
    clock, machine = Clock(), budget()
    assert not machine.take(clock()), "nothing was asked yet"
    for _ in range(11):
        machine.request(clock())
    assert [machine.take(clock()) for _ in range(3)] == [True, True, False]


def test_a_minimum_however_few_requests_there_are() -> None:
    clock, machine = Clock(), budget(minimum=1.0)
    assert [machine.take(clock()) for _ in range(11)] == [True] * 10 + [False]
    clock.advance(WINDOW_SECONDS)
    assert machine.take(clock())


def test_what_is_older_than_the_window_is_forgotten() -> None:
    clock, machine = Clock(), budget()
    for _ in range(100):
        machine.request(clock())
    clock.advance(WINDOW_SECONDS + 1.0)
    assert machine.recent(clock()) == (0.0, 0.0)
    assert not machine.take(clock())


def test_workers_share_it() -> None:
    clock, view = Clock(), CellStore.local(2 * BUDGET_CELLS).view
    one, two = (RetryBudget(20.0, 0.0, view, 0, workers=2, worker=worker) for worker in (0, 1))
    one.request(clock())
    for _ in range(5):
        one.request(clock())
        two.request(clock())
    assert [one.take(clock()), two.take(clock()), one.take(clock()), two.take(clock())] == [True, True, False, False]
    totals = read_budget(view, 0, 2)
    assert (totals.granted, totals.refused) == (2, 2)


@given(
    st.lists(st.tuples(st.sampled_from(["request", "take"]), st.floats(0.0, 2.0)), max_size=300),
    st.integers(0, 100),
    st.integers(0, 3),
)
def test_never_more_than_the_share_or_the_minimum(told: list[tuple[str, float]], percent: int, minimum: int) -> None:
    clock, machine = Clock(), budget(float(percent), float(minimum))
    requests: list[int] = []
    granted: list[int] = []
    for what, pause in told:
        clock.advance(pause)
        second = int(clock())
        if what == "request":
            machine.request(clock())
            requests.append(second)
            continue
        recent = sum(at > second - WINDOW_SECONDS for at in requests)
        taken = sum(at > second - WINDOW_SECONDS for at in granted)
        allowed = taken + 1 <= minimum * WINDOW_SECONDS or taken + 1 < percent / 100 * recent
        assert machine.take(clock()) == allowed
        if allowed:
            granted.append(second)


@pytest.mark.parametrize("failing", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("attempts", [2, 5])
def test_a_storm_is_damped(failing: float, attempts: int) -> None:
    """500 requests a second for a minute, as many attempts as the policy would make: the backends get less than 1.2
    times what was offered. Without a budget it would be 1.75 times and more."""
    random, rate = Random(7), 500
    policy = RetryPolicy(Retry("ex:retry", attempts=attempts))
    machine = budget(policy.config.budget_percent, policy.config.budget_minimum)
    offered = load = unbound = 0
    for tick in range(60 * rate):
        now = 1000.0 + tick / rate
        machine.request(now)
        offered += 1
        attempt = 1
        may = True
        while True:
            load += may
            unbound += 1
            if random.random() >= failing or not policy.should_retry(attempt, Failure.STATUS, "GET", status=503):
                break
            may = may and machine.take(now)
            attempt += 1
    assert load < 1.2 * offered
    assert load > 1.15 * offered, "the budget is used"
    assert unbound >= 1.7 * offered
