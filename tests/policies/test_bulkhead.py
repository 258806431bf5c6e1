"""Bulkheads: bounds over workers, and what is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.bulkhead import (
    BULKHEAD_CELLS,
    Bulkhead,
    Overflow,
    clear_bulkheads,
    read_bulkhead,
)
from api_gateway_service_mesh.policies.cells import CellStore


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=100), st.integers(1, 5))
def test_never_more_than_the_bound_over_all_workers(told: list[tuple[int, bool]], bound: int) -> None:
    view = CellStore.local(2 * BULKHEAD_CELLS).view
    workers = [Bulkhead(view, 0, max_requests=bound, workers=2, worker=worker) for worker in (0, 1)]
    inside, refused = [0, 0], 0
    for worker, comes in told:
        if comes:
            entered = workers[worker].enter()
            assert entered == (sum(inside) < bound)
            inside[worker] += entered
            refused += not entered
        elif inside[worker]:
            workers[worker].leave()
            inside[worker] -= 1
    totals = read_bulkhead(view, 0, 2)
    assert (totals.requests, totals.overflow) == (sum(inside), refused)


def test_without_a_bound_everybody_is_let_in_and_counted() -> None:
    bulkhead = Bulkhead(CellStore.local(BULKHEAD_CELLS).view, 0)
    assert all(bulkhead.enter() and bulkhead.enter_retry() for _ in range(100))
    assert "requests=100" in repr(bulkhead)


def test_a_retry_that_is_not_made_is_no_refused_request() -> None:
    view = CellStore.local(BULKHEAD_CELLS).view
    bulkhead = Bulkhead(view, 0, max_retries=1)
    assert bulkhead.enter_retry()
    assert not bulkhead.enter_retry()
    bulkhead.refused(Overflow.QUEUE_FULL)
    bulkhead.leave_retry()
    assert bulkhead.enter_retry()
    totals = read_bulkhead(view, 0, 1)
    assert (totals.retries, totals.overflow, totals.refused[Overflow.RETRIES]) == (1, 1, 1)


def test_what_a_crashed_worker_had_under_way_is_forgotten() -> None:
    view = CellStore.local(2 * BULKHEAD_CELLS).view
    one, two = (Bulkhead(view, 0, max_requests=2, workers=2, worker=worker) for worker in (0, 1))
    assert one.enter()
    assert two.enter()
    two.waits(1)
    clear_bulkheads(view, {("bulkhead", "urn:a"): 0, ("route", "urn:b"): 0}, 1)
    totals = read_bulkhead(view, 0, 2)
    assert (totals.requests, totals.pending) == (1, 0)
    assert one.enter()
