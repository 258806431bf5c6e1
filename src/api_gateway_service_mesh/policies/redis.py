"""What is known of a shared store, in cells: one cache line a worker, its first cell the state."""

from __future__ import annotations

__all__ = ["AWAY", "REDIS_CELLS", "UNUSED", "UP", "read_store_state"]

REDIS_CELLS = 8
UNUSED, UP, AWAY = 0.0, 1.0, 2.0


def read_store_state(view: memoryview[float], base: int, workers: int) -> str:
    """``agw:storeState`` over all workers: AWAY when one has given up on it, else UP when one has reached it."""
    states = {view[base + worker * REDIS_CELLS] for worker in range(workers)}
    return "AWAY" if AWAY in states else "UP" if UP in states else "UNUSED"
