"""Counters of what a policy did, for policies whose deeds are few in kind: a cell each, in a column for each worker."""

from __future__ import annotations

__all__ = ["EVENT_CELLS", "EventCounters", "read_events"]

EVENT_CELLS = 8
"""Cells of one worker's column: kinds of deeds 0 to 7, as the policy numbers them."""


class EventCounters:
    """One worker's counters of one policy."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * EVENT_CELLS

    def count(self, kind: int) -> None:
        """One more of this kind."""
        self._view[self._column + kind] += 1.0

    def add(self, kind: int, amount: int) -> None:
        """So many more of this kind."""
        self._view[self._column + kind] += amount


def read_events(view: memoryview[float], base: int, workers: int) -> tuple[int, ...]:
    """The counts of every kind, over all workers."""
    columns = [view[base + w * EVENT_CELLS : base + (w + 1) * EVENT_CELLS].tolist() for w in range(workers)]
    return tuple(int(sum(cells)) for cells in zip(*columns, strict=True))
