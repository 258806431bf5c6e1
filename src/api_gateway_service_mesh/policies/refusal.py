"""Counters of refusals by kind: a cell for each kind, in a column for each worker that only that worker writes."""

from __future__ import annotations

__all__ = ["REFUSAL_CELLS", "RefusalCounters", "read_refusals"]

REFUSAL_CELLS = 64
"""Cells of one worker's column; kinds are numbered from 0 by whoever counts (`proxy.refusals`)."""


class RefusalCounters:
    """One worker's counts of what the gateway refused."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * REFUSAL_CELLS

    def count(self, kind: int) -> None:
        """One more of this kind, 0 to `REFUSAL_CELLS` - 1."""
        self._view[self._column + kind] += 1.0


def read_refusals(view: memoryview[float], base: int, workers: int) -> tuple[int, ...]:
    """The counts of every kind, over all workers."""
    columns = [view[base + w * REFUSAL_CELLS : base + (w + 1) * REFUSAL_CELLS].tolist() for w in range(workers)]
    return tuple(int(sum(cells)) for cells in zip(*columns, strict=True))
