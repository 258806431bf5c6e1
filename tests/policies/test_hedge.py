"""Hedges: who may have one, and what is counted."""

from __future__ import annotations

from api_gateway_service_mesh.model import Hedging
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.hedge import HEDGE_CELLS, HedgeCounters, HedgeTotals, may_hedge, read_hedge


def test_only_what_may_reach_two_backends() -> None:
    plain, bold = Hedging("ex:h"), Hedging("ex:h", non_idempotent=True)
    assert may_hedge(plain, "GET", replayable=True)
    assert not may_hedge(plain, "POST", replayable=True)
    assert may_hedge(bold, "POST", replayable=True)
    assert not may_hedge(bold, "GET", replayable=False)


def test_workers_are_summed() -> None:
    view = CellStore.local(2 * HEDGE_CELLS).view
    for worker in (0, 1):
        counters = HedgeCounters(view, 0, worker)
        counters.sent()
        counters.sent()
        counters.won()
    assert read_hedge(view, 0, 2) == HedgeTotals(4, 2)
