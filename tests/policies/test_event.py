"""Counters of deeds."""

from __future__ import annotations

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.event import EVENT_CELLS, EventCounters, read_events


def test_workers_add_up_by_kind() -> None:
    view = CellStore.local(2 * EVENT_CELLS).view
    EventCounters(view, 0, 0).count(1)
    EventCounters(view, 0, 1).count(1)
    EventCounters(view, 0, 1).count(0)
    assert read_events(view, 0, 2)[:3] == (1, 2, 0)
