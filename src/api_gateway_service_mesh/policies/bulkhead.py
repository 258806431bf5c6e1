"""Bulkheads: how much may be under way to one upstream at once, over all workers (``agw:ConnectionPool``).

Each worker counts in a column of its own; where there is a bound, who wants in sums all columns under the lock, so the
bound is exact. What a worker that crashed had under way is forgotten with it (`clear_bulkheads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from .lock import NO_LOCK, Lock
from .row import row

__all__ = ["BULKHEAD_CELLS", "Bulkhead", "BulkheadTotals", "Overflow", "clear_bulkheads", "read_bulkhead"]

REQUESTS, RETRIES, PENDING = range(3)
BULKHEAD_CELLS = 8


class Overflow(IntEnum):
    """What was refused, and the cell that counts it."""

    QUEUE_FULL = 3
    QUEUE_TIMEOUT = 4
    REQUESTS = 5
    RETRIES = 6


class Bulkhead:
    """One worker's view of the bulkhead of an upstream; bounds of None always let in."""

    __slots__ = ("_base", "_column", "_lock", "_view", "_workers", "max_requests", "max_retries")

    def __init__(
        self,
        view: memoryview[float],
        base: int,
        *,
        max_requests: int | None = None,
        max_retries: int | None = None,
        workers: int = 1,
        worker: int = 0,
        lock: Lock = NO_LOCK,
    ) -> None:
        self.max_requests = max_requests
        self.max_retries = max_retries
        self._view = view
        self._base = base
        self._column = base + worker * BULKHEAD_CELLS
        self._workers = workers
        self._lock = lock

    def enter(self) -> bool:
        """Whether one more request may be sent; each that may is given back with `leave`."""
        return self._enter(REQUESTS, self.max_requests, Overflow.REQUESTS)

    def leave(self) -> None:
        """A request that was let in is over."""
        self._view[self._column + REQUESTS] -= 1.0

    def enter_retry(self) -> bool:
        """Whether one more retry may be under way; each that may is given back with `leave_retry`."""
        return self._enter(RETRIES, self.max_retries, Overflow.RETRIES)

    def leave_retry(self) -> None:
        """A retry that was let in is over."""
        self._view[self._column + RETRIES] -= 1.0

    def waits(self, change: int) -> None:
        """A request waits for a connection (+1), or no longer (-1)."""
        self._view[self._column + PENDING] += change

    def refused(self, what: Overflow) -> None:
        """Count a refusal."""
        self._view[self._column + what] += 1.0

    def _enter(self, cell: int, bound: int | None, what: Overflow) -> bool:
        view = self._view
        if bound is None:
            view[self._column + cell] += 1.0
            return True
        self._lock.acquire()
        try:
            first, last = self._base + cell, self._base + self._workers * BULKHEAD_CELLS
            if sum(row(view[first:last:BULKHEAD_CELLS])) >= bound:
                view[self._column + what] += 1.0
                return False
            view[self._column + cell] += 1.0
            return True
        finally:
            self._lock.release()

    def __repr__(self) -> str:
        return f"<Bulkhead {read_bulkhead(self._view, self._base, self._workers)}>"


@dataclass(frozen=True, slots=True)
class BulkheadTotals:
    """What is under way to an upstream now, and what was refused since the gateway started, over all workers."""

    requests: int
    retries: int
    pending: int
    refused: Mapping[Overflow, int]

    @property
    def overflow(self) -> int:
        """Requests that were answered 503; a retry that was not made is none."""
        return sum(count for what, count in self.refused.items() if what is not Overflow.RETRIES)


def read_bulkhead(view: memoryview[float], base: int, workers: int) -> BulkheadTotals:
    """Sum a bulkhead's columns."""

    def total(cell: int) -> int:
        return int(sum(view[base + worker * BULKHEAD_CELLS + cell] for worker in range(workers)))

    return BulkheadTotals(total(REQUESTS), total(RETRIES), total(PENDING), {what: total(what) for what in Overflow})


def clear_bulkheads(view: memoryview[float], slots: Mapping[tuple[str, str], int], worker: int) -> None:
    """Forget what a crashed worker had under way. Only while no process runs as that worker."""
    for (kind, _), base in slots.items():
        if kind == "bulkhead":
            for cell in (REQUESTS, RETRIES, PENDING):
                view[base + worker * BULKHEAD_CELLS + cell] = 0.0
