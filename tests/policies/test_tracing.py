from __future__ import annotations

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.tracing import TRACE_CELLS, SpanCounters, SpanTotals, read_spans


def test_workers_are_summed() -> None:
    view = CellStore.local(2 * TRACE_CELLS).view
    for worker in (0, 1):
        counters = SpanCounters(view, 0, worker)
        counters.exported(5)
        counters.refused(2)
        counters.failed(1)
    assert read_spans(view, 0, 2) == SpanTotals(10, 6)
