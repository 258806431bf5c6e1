"""What became of the requests of one share of a route (``agw:TrafficSplit``): counted by each worker in a column of its
own, summed by readers.

Latencies are kept in buckets that are each a quarter wider than the one before, from half a millisecond to 22 seconds,
so that two sides can be compared at a percentile to within a tenth.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .row import row

__all__ = ["SHARE_BOUNDS", "SHARE_CELLS", "ShareCounters", "ShareTotals", "read_share"]

SHARE_BOUNDS = tuple(0.0005 * 1.25**power for power in range(49))
"""Upper bounds of the buckets, in seconds, each inclusive; one more bucket takes what is slower."""

_BUCKETS = len(SHARE_BOUNDS) + 1
_REQUESTS, _ERRORS, _SECONDS, _FIRST_BUCKET = 0, 1, 2, 3
SHARE_SIZE = _FIRST_BUCKET + _BUCKETS
"""Cells of one sum."""

SHARE_CELLS = -(-SHARE_SIZE // 8) * 8
"""Cells of one worker's column."""


class ShareCounters:
    """One worker's counters of one share."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * SHARE_CELLS

    def observe(self, status: int, seconds: float) -> None:
        """Count one request. Status 0, a client that went away before the answer, says nothing of the service."""
        if not status:
            return
        view, column = self._view, self._column
        view[column] += 1.0
        if status >= 500:
            view[column + _ERRORS] += 1.0
        view[column + _SECONDS] += seconds
        view[column + _FIRST_BUCKET + bisect_left(SHARE_BOUNDS, seconds)] += 1.0


@dataclass(frozen=True, slots=True)
class ShareTotals:
    """A share's counters over all workers, or their growth over some time. ``buckets`` are not cumulative."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    buckets: tuple[int, ...] = (0,) * _BUCKETS

    def __add__(self, other: ShareTotals) -> ShareTotals:
        return self._with(other, 1)

    def __sub__(self, other: ShareTotals) -> ShareTotals:
        """What was added since `other`."""
        return self._with(other, -1)

    def _with(self, other: ShareTotals, sign: int) -> ShareTotals:
        return ShareTotals(
            self.requests + sign * other.requests,
            self.errors + sign * other.errors,
            self.seconds + sign * other.seconds,
            tuple(mine + sign * its for mine, its in zip(self.buckets, other.buckets, strict=True)),
        )

    @property
    def error_rate(self) -> float:
        """Errors per request, 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0

    def latency(self, percentile: float) -> float:
        """Seconds within which `percentile` of 100 requests ended, evenly spread within a bucket; 0.0 without any."""
        wanted = self.requests * percentile / 100.0
        below = 0.0
        for index, count in enumerate(self.buckets):
            if count and below + count >= wanted:
                upper = SHARE_BOUNDS[min(index, len(SHARE_BOUNDS) - 1)]
                lower = SHARE_BOUNDS[index - 1] if index else 0.0
                return lower + (upper - lower) * max(0.0, wanted - below) / count
            below += count
        return 0.0

    def cells(self) -> list[float]:
        """As floats, `SHARE_SIZE` of them."""
        return [float(self.requests), float(self.errors), self.seconds, *map(float, self.buckets)]

    @classmethod
    def of(cls, cells: Sequence[float]) -> ShareTotals:
        """The inverse of `cells`."""
        buckets = tuple(int(count) for count in cells[_FIRST_BUCKET:SHARE_SIZE])
        return cls(int(cells[_REQUESTS]), int(cells[_ERRORS]), cells[_SECONDS], buckets)


def read_share(view: memoryview[float], base: int, workers: int) -> ShareTotals:
    """Sum a share's columns."""
    columns = [row(view[base + w * SHARE_CELLS : base + w * SHARE_CELLS + SHARE_SIZE]) for w in range(workers)]
    return ShareTotals.of([sum(cells) for cells in zip(*columns, strict=True)])
