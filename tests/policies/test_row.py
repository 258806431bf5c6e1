"""A run of cells as a list of floats, of a slice and of every n-th cell."""

from __future__ import annotations

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.row import row


def test_a_run_of_cells_is_a_list_of_floats() -> None:
    view = CellStore.local(8).view
    view[2] = 0.5
    view[4] = 2.0
    assert row(view[1:5]) == [0.0, 0.5, 0.0, 2.0]
    assert row(view[0:8:2]) == [0.0, 0.5, 2.0, 0.0]
    assert {type(number) for number in row(view)} == {float}
