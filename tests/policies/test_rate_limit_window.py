"""Windows: what a fixed and a sliding one admit, for all and by key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import KeyKind, LimitAlgorithm, RateLimit, RequestKey
from api_gateway_service_mesh.policies import (
    CellStore,
    FixedWindow,
    Limiter,
    SharedLock,
    SlidingWindow,
    key_hash,
    limiter,
)
from api_gateway_service_mesh.policies.rate_limit import rate_limit_cells
from api_gateway_service_mesh.policies.rate_limit_window import NEIGHBOURHOOD, PARTS
from tests.support.clock import Clock
from tests.support.processes import in_processes

FIXED, SLIDING = LimitAlgorithm.FIXED_WINDOW, LimitAlgorithm.SLIDING_WINDOW
ADDRESS = (RequestKey(KeyKind.CLIENT_ADDRESS),)


def window(algorithm: LimitAlgorithm, burst: int, period: float, *, keyed: bool = False, capacity: int = 64) -> Limiter:
    keys = ADDRESS if keyed else ()
    limit = RateLimit("ex:l", burst / period, burst, keys, algorithm, period, quota=True, key_capacity=capacity)
    return limiter(limit, CellStore.local(rate_limit_cells(limit)).view, 0)


def test_a_fixed_window_begins_with_the_first_request() -> None:
    clock, limit = Clock(), window(FIXED, 3, 3600.0)
    assert [limit.take(clock()) for _ in range(3)] == [0.0, 0.0, 0.0]
    clock.advance(600.0)
    assert limit.take(clock()) == pytest.approx(3000.0)
    assert (limit.remaining(clock()), limit.reset_seconds(clock())) == (0, pytest.approx(3000.0))
    clock.advance(3000.0)
    assert (limit.remaining(clock()), limit.reset_seconds(clock())) == (3, 0.0)
    assert limit.take(clock()) == 0.0
    assert limit.remaining(clock()) == 2


def test_a_sliding_window_frees_what_is_a_period_old() -> None:
    clock, limit = Clock(1000.0), window(SLIDING, 10, 10.0)
    for _ in range(5):
        assert limit.take(clock(), cost=2) == 0.0
        clock.advance(1.0)
    wait = limit.take(clock(), cost=2)
    assert wait == pytest.approx(6.0), "the first second's are remembered for a tenth longer than ten seconds"
    clock.advance(wait)
    assert limit.take(clock(), cost=2) == 0.0
    assert limit.take(clock(), cost=2) > 0.0


@settings(max_examples=150, deadline=None)
@given(
    burst=st.integers(1, 20),
    asks=st.lists(st.tuples(st.floats(0, 4), st.integers(1, 3)), min_size=2, max_size=120),
    uptime=st.floats(100, 1e7),
    keyed=st.booleans(),
)
def test_no_span_of_a_period_admits_more_than_the_limit(
    burst: int, asks: list[tuple[float, int]], uptime: float, keyed: bool
) -> None:
    limit, now = window(SLIDING, burst, 10.0, keyed=keyed), uptime
    admitted: list[tuple[float, int]] = []
    for gap, cost in asks:
        now += gap
        if cost <= burst:
            wait = limit.take(now, 7, cost)
            if wait == 0.0:
                admitted.append((now, cost))
            else:
                assert 0.0 < wait <= 10.0 * (1 + 1 / PARTS) + 1e-6
    for index, (first, _) in enumerate(admitted):
        assert sum(cost for at, cost in admitted[index:] if at - first < 10.0 - 1e-6) <= burst


@settings(max_examples=150, deadline=None)
@given(
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 4), min_size=2, max_size=120),
    keyed=st.booleans(),
    algorithm=st.sampled_from([FIXED, SLIDING]),
)
def test_who_waits_as_told_is_admitted(burst: int, gaps: list[float], keyed: bool, algorithm: LimitAlgorithm) -> None:
    limit, now = window(algorithm, burst, 10.0, keyed=keyed), 5000.0
    for gap in gaps:
        now += gap
        wait = limit.take(now, 7)
        if wait:
            now += wait + 1e-6
            assert limit.take(now, 7) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 4), min_size=2, max_size=120), st.integers(1, 9))
def test_a_fixed_window_is_exact_in_itself_and_at_most_double_over_an_edge(gaps: list[float], burst: int) -> None:
    limit, now = window(FIXED, burst, 10.0), 5000.0
    admitted = []
    for gap in gaps:
        now += gap
        if limit.take(now) == 0.0:
            admitted.append(now)
    for index, first in enumerate(admitted):
        assert sum(at - first < 10.0 for at in admitted[index:]) <= 2 * burst


@pytest.mark.parametrize("algorithm", [FIXED, SLIDING])
def test_a_clock_set_back_grants_nothing_and_locks_nobody_out(algorithm: LimitAlgorithm) -> None:
    clock, limit = Clock(), window(algorithm, 3, 10.0)
    assert [limit.take(clock()) for _ in range(3)] == [0.0] * 3
    for back in (-5.0, -3600.0):
        clock.advance(back)
        assert 0.0 < limit.take(clock()) <= 11.0
        clock.advance(11.0)
        assert limit.take(clock()) == 0.0
        while limit.take(clock()) == 0.0:
            pass


@pytest.mark.parametrize("algorithm", list(LimitAlgorithm))
def test_a_hot_key_stays_whatever_flood_comes(algorithm: LimitAlgorithm) -> None:
    clock, limit = Clock(), window(algorithm, 10, 60.0, keyed=True)
    hot = key_hash("hot")
    assert sum(limit.take(clock(), hot) == 0.0 for _ in range(20)) == 10
    for stranger in range(5000):
        limit.take(clock(), key_hash(f"stranger {stranger}"))
    assert limit.take(clock(), hot) > 0.0
    assert limit.evictions > 4000


@settings(max_examples=60, deadline=None)
@given(
    algorithm=st.sampled_from(list(LimitAlgorithm)),
    requests=st.lists(st.tuples(st.integers(0, 400), st.floats(0, 0.3)), min_size=100, max_size=400),
)
def test_more_than_the_limit_is_admitted_only_after_an_eviction(
    algorithm: LimitAlgorithm, requests: list[tuple[int, float]]
) -> None:
    limit, now = window(algorithm, 2, 1000.0, keyed=True), 10_000.0
    admitted: dict[int, int] = {}
    for key, gap in requests:
        now += gap
        if limit.take(now, key_hash(str(key))) == 0.0:
            admitted[key] = admitted.get(key, 0) + 1
    assert sum(max(0, count - 2) for count in admitted.values()) <= 2 * limit.evictions


def test_a_full_neighbourhood_gives_up_the_key_that_used_least() -> None:
    clock, limit = Clock(), window(FIXED, 100, 60.0, keyed=True)
    keys = [5 + lap * 64 for lap in range(NEIGHBOURHOOD + 1)]
    for uses, key in enumerate(keys[:-1], start=2):
        assert limit.take(clock(), key, uses) == 0.0
    assert limit.evictions == 0
    limit.take(clock(), keys[-1])
    assert limit.evictions == 1
    assert [limit.remaining(clock(), key) for key in keys] == [100, 97, 96, 95, 94, 93, 92, 91, 99]


def test_workers_together_get_the_quota_of_one() -> None:
    limit = RateLimit("ex:l", 0.005, 500, (), FIXED, 1e5, quota=True)
    store, lock = CellStore.shared(64), SharedLock.create()
    machine = limiter(limit, store.view, 0, lock)

    def take(worker: int) -> None:
        store.view[40 + worker] = float(sum(machine.take(1000.0) == 0.0 for _ in range(400)))

    in_processes(take, range(3))
    assert sum(store.view[40:43].tolist()) == 500.0
    store.close()


def test_a_window_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive period"):
        window(FIXED, 0, 10.0)


def test_status_lines() -> None:
    assert repr(window(SLIDING, 5, 10.0)) == "<SlidingWindow ex:l 5 in 10 s>"
    assert isinstance(window(FIXED, 5, 10.0), FixedWindow)
    assert isinstance(window(SLIDING, 5, 10.0), SlidingWindow)


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("algorithm", list(LimitAlgorithm))
@settings(max_examples=60, deadline=None)
@given(costs=st.lists(st.integers(1, 40), max_size=12), maximum=st.integers(1, 60))
def test_what_is_charged_is_taken_and_owed_up_to_a_bound(
    algorithm: LimitAlgorithm, keyed: bool, costs: list[int], maximum: int
) -> None:
    limit = RateLimit(
        "ex:l", 10 / 100.0, 10, ADDRESS if keyed else (), algorithm, 100.0, quota=True, key_capacity=64,
        answer_cost_field="x-cost", maximum_cost=maximum,
    )  # fmt: skip
    machine, now = limiter(limit, CellStore.local(rate_limit_cells(limit)).view, 0), 1000.0
    assert machine.take(now, 7) == 0.0
    for cost in costs:
        machine.charge(now, 7, cost)
    used = min(1 + sum(costs), 10 + maximum)
    assert machine.remaining(now, 7) == max(0, 10 - used)
    wait = machine.take(now, 7)
    assert (wait > 0.0) == (used >= 10)
    if algorithm is LimitAlgorithm.TOKEN_BUCKET and wait:
        assert wait == pytest.approx((used + 1 - 10) * 10.0), "each token that is owed comes back at the rate"
        assert machine.take(now + wait, 7) == 0.0
    assert machine.take(now, 8) == 0.0 if keyed else True, "another key owes nothing"
