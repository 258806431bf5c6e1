"""Adaptive concurrency: how many requests may be under way at once, found by what they take.

A backend that has more to do than it can lets requests queue, and a queue shows in the latency before anything fails.
So, as in Netflix' *concurrency-limits* (gradient) and Envoy's adaptive concurrency:

- the *baseline* is the lowest mean latency of a window (of `WINDOW_SECONDS` and at least `WINDOW_SAMPLES` answers) in
  this and the last baseline period. At the turn of a period the limit is halved for a moment, so that the queue drains
  and the baseline is measured without it: it cannot drift up with the queue it is to show;
- after each window the limit becomes ``limit * gradient + sqrt(limit)``, of which `SMOOTHING` counts at once, with
  ``gradient = tolerance * baseline / latency`` held between 0.5 and 1. The root lets it grow where there is room;
- it grows only while it is used: at least half of it was under way at some time in the window.

Who may have how much of the limit depends on the request's priority (`SHARES`), so that the lowest is refused first.
All that is under way is counted in columns of the workers; the limit is one, for all of them.
"""

from __future__ import annotations

from math import sqrt

from api_gateway_service_mesh.model import AdaptiveConcurrency, RequestPriority

from .lock import NO_LOCK, Lock

__all__ = [
    "SHARES",
    "WINDOW_SAMPLES",
    "WINDOW_SECONDS",
    "ConcurrencyLimit",
    "clear_in_use",
    "concurrency_cells",
]

SHARES = {
    RequestPriority.CRITICAL: 1.0,
    RequestPriority.HIGH: 0.95,
    RequestPriority.NORMAL: 0.9,
    RequestPriority.LOW: 0.7,
}
"""The part of the limit that a priority may fill."""

WINDOW_SECONDS = 0.1
WINDOW_SAMPLES = 10
SMOOTHING = 0.3
INITIAL = 20.0

_LIMIT, _LOWEST, _LOWEST_BEFORE, _PERIOD_ENDS, _WINDOW_ENDS, _SUM, _COUNT, _PEAK, _PROBE_ENDS = range(9)
_SHARED_CELLS = 16
_COLUMN_CELLS = 8  # under way, then refused
_REFUSED = 1


def concurrency_cells(workers: int) -> int:
    """Cells of the slot of kind ``concurrency``."""
    return _SHARED_CELLS + _COLUMN_CELLS * workers


def clear_in_use(view: memoryview[float], base: int, worker: int) -> None:
    """Forget the requests that a crashed worker had under way."""
    view[base + _SHARED_CELLS + worker * _COLUMN_CELLS] = 0.0


class ConcurrencyLimit:
    """See the module."""

    __slots__ = ("_base", "_column", "_columns", "_lock", "_view", "config")

    def __init__(
        self,
        config: AdaptiveConcurrency,
        view: memoryview[float],
        base: int,
        workers: int = 1,
        worker: int = 0,
        lock: Lock = NO_LOCK,
    ) -> None:
        self.config = config
        self._view = view
        self._base = base
        first = base + _SHARED_CELLS
        self._columns = tuple(range(first, first + workers * _COLUMN_CELLS, _COLUMN_CELLS))
        self._column = self._columns[worker]
        self._lock = lock

    def admit(self, now: float, share: float) -> bool:
        """Whether one more request may go on, of those that may fill `share` of the limit. Each that may is to be given
        back by `release`."""
        view = self._view
        self._lock.acquire()
        try:
            under_way = self.in_use
            if under_way >= max(1.0, self.in_force(now) * share):
                view[self._column + _REFUSED] += 1.0
                return False
            view[self._column] += 1.0
            if under_way >= view[self._base + _PEAK]:
                view[self._base + _PEAK] = under_way + 1.0
            return True
        finally:
            self._lock.release()

    def release(self) -> None:
        """A request that was admitted is over."""
        self._view[self._column] -= 1.0

    def sample(self, now: float, seconds: float) -> None:
        """A backend's answer took `seconds`."""
        view, base = self._view, self._base
        self._lock.acquire()
        try:
            view[base + _SUM] += seconds
            view[base + _COUNT] += 1.0
            ends = view[base + _WINDOW_ENDS]
            if view[base + _COUNT] >= WINDOW_SAMPLES and (now >= ends or ends > now + WINDOW_SECONDS):
                self._close_window(now)
        finally:
            self._lock.release()

    def in_force(self, now: float) -> float:
        """The limit as it is now; while the baseline is measured, half of it."""
        limit = self.limit
        return max(float(self.config.minimum), limit / 2) if now < self._view[self._base + _PROBE_ENDS] else limit

    @property
    def limit(self) -> float:
        """The limit that was found; at first `INITIAL`."""
        found = self._view[self._base] or INITIAL
        return min(float(self.config.maximum), max(float(self.config.minimum), found))

    @property
    def in_use(self) -> float:
        """Requests under way, over all workers."""
        view = self._view
        return view[self._column] if len(self._columns) == 1 else sum(view[column] for column in self._columns)

    @property
    def refused(self) -> int:
        """Requests refused so far, over all workers."""
        return int(sum(self._view[column + _REFUSED] for column in self._columns))

    @property
    def baseline(self) -> float:
        """The latency without a queue, in seconds; 0.0 until one is known."""
        known = [at for at in (self._view[self._base + _LOWEST], self._view[self._base + _LOWEST_BEFORE]) if at]
        return min(known, default=0.0)

    def _close_window(self, now: float) -> None:
        view, base, config = self._view, self._base, self.config
        latency = view[base + _SUM] / view[base + _COUNT]
        peak, view[base + _PEAK] = view[base + _PEAK], self.in_use
        view[base + _SUM] = view[base + _COUNT] = 0.0
        view[base + _WINDOW_ENDS] = now + WINDOW_SECONDS
        lowest = view[base + _LOWEST]
        if not lowest or latency < lowest:
            view[base + _LOWEST] = latency
        if now < view[base + _PROBE_ENDS]:
            return
        period_ends = view[base + _PERIOD_ENDS]
        if not period_ends or period_ends > now + config.baseline_seconds:
            view[base + _PERIOD_ENDS] = now + config.baseline_seconds
        elif now >= period_ends:
            view[base + _PERIOD_ENDS] = now + config.baseline_seconds
            view[base + _LOWEST_BEFORE], view[base + _LOWEST] = view[base + _LOWEST], 0.0
            view[base + _PROBE_ENDS] = now + 2 * latency + 2 * WINDOW_SECONDS
            return
        limit = self.limit
        gradient = min(1.0, max(0.5, config.tolerance * self.baseline / latency))
        wanted = limit * gradient + sqrt(limit)
        if peak < limit / 2:
            wanted = min(wanted, limit)
        found = limit + (wanted - limit) * SMOOTHING
        view[base + _LIMIT] = min(float(config.maximum), max(float(config.minimum), found))

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit {self.config.iri} {self.in_use:.0f} of {self.limit:.1f}>"
