"""Counts of refusals: every worker has its own column, readers sum them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.refusal import REFUSAL_CELLS, RefusalCounters, read_refusals
from api_gateway_service_mesh.proxy.refusals import NUMBERS


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, REFUSAL_CELLS - 1)), max_size=50))
def test_every_count_is_kept(counted: list[tuple[int, int]]) -> None:
    store = CellStore.local(REFUSAL_CELLS * 3)
    workers = [RefusalCounters(store.view, 0, worker) for worker in range(3)]
    for worker, kind in counted:
        workers[worker].count(kind)
    totals = read_refusals(store.view, 0, 3)
    assert totals == tuple(sum(kind == number for _, kind in counted) for number in range(REFUSAL_CELLS))


def test_every_kind_has_a_cell() -> None:
    assert sorted(NUMBERS.values()) == list(range(len(NUMBERS)))
    assert len(NUMBERS) <= REFUSAL_CELLS
