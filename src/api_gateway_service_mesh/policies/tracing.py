"""Traces: the counters of spans."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TRACE_CELLS", "SpanCounters", "SpanTotals", "read_spans"]

EXPORTED, REFUSED, FAILED = range(3)
TRACE_CELLS = 8


class SpanCounters:
    """One worker's counters of one tracing. Each cell has one thread that writes it."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * TRACE_CELLS

    def exported(self, spans: int) -> None:
        """The collector took so many (the sender's thread)."""
        self._view[self._column + EXPORTED] += spans

    def refused(self, spans: int) -> None:
        """There was no room for so many (the loop's thread)."""
        self._view[self._column + REFUSED] += spans

    def failed(self, spans: int) -> None:
        """The collector did not take so many (the sender's thread)."""
        self._view[self._column + FAILED] += spans


@dataclass(frozen=True, slots=True)
class SpanTotals:
    """A tracing's counters over all workers."""

    exported: int
    dropped: int


def read_spans(view: memoryview[float], base: int, workers: int) -> SpanTotals:
    """Sum a tracing's columns."""
    columns = [base + worker * TRACE_CELLS for worker in range(workers)]
    return SpanTotals(
        int(sum(view[column + EXPORTED] for column in columns)),
        int(sum(view[column + REFUSED] + view[column + FAILED] for column in columns)),
    )
