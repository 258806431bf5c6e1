from __future__ import annotations

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.redis import AWAY, REDIS_CELLS, UP, read_store_state


def test_one_worker_that_gave_up_is_enough_to_say_so() -> None:
    view = CellStore.local(64).view
    assert read_store_state(view, 0, 3) == "UNUSED"
    view[REDIS_CELLS] = UP
    assert read_store_state(view, 0, 3) == "UP"
    view[2 * REDIS_CELLS] = AWAY
    assert read_store_state(view, 0, 3) == "AWAY"
    assert read_store_state(view, 0, 2) == "UP"
