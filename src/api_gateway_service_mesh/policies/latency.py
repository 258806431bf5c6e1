"""How slow an endpoint has been lately: the peak EWMA of Finagle.

A sample above the average is taken over at once (slow is noticed fast), one below moves it by how long ago the last one
was (forgiven over ``decay_seconds``). Without samples the average fades by the same law, so that an endpoint that was
slow is asked again. A failure counts as `FAILURE_SECONDS` at least: an endpoint that fails fast must not look fast.

The cells are shared by all workers and written without a lock: a sample lost to another's is no harm to an average.
"""

from __future__ import annotations

from math import exp

__all__ = ["FAILURE_SECONDS", "LATENCY_CELLS", "PeakLatency"]

LATENCY_CELLS = 8
AVERAGE, STAMP = range(2)
FAILURE_SECONDS = 1.0


class PeakLatency:
    """The average of one endpoint, over its latency cells."""

    __slots__ = ("_base", "_decay", "_view")

    def __init__(self, view: memoryview[float], base: int, decay_seconds: float) -> None:
        self._view = view
        self._base = base
        self._decay = decay_seconds

    def record(self, seconds: float, ok: bool, now: float) -> None:
        """Take in one attempt's time to the head of its answer."""
        view, base = self._view, self._base
        if not ok and seconds < FAILURE_SECONDS:
            seconds = FAILURE_SECONDS
        before = view[base]
        if seconds < before:
            weight = exp(-max(0.0, now - view[base + STAMP]) / self._decay)
            seconds = before * weight + seconds * (1.0 - weight)
        view[base] = seconds
        view[base + STAMP] = now

    def seconds(self, now: float) -> float:
        """The average as of `now`; 0.0 before the first sample."""
        view, base = self._view, self._base
        average = view[base]
        return average and average * exp((view[base + STAMP] - now) / self._decay)

    def __repr__(self) -> str:
        return f"<PeakLatency {self._view[self._base] * 1000:.1f} ms>"
