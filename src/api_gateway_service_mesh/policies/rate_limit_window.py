"""Rate limits as windows: so many requests in each period, counted; for rates and for quotas of hours and days.

- `FixedWindow`: a key's window begins with its first request and lasts one period; then the count begins anew. What is
  left and when it comes back is easily told, so quotas are counted so by default. In any span of one period at most
  twice the limit is admitted, in each window exactly the limit.
- `SlidingWindow`: in *any* span of one period at most the limit is admitted. The period is counted in `PARTS` parts;
  the part that a span cuts through counts whole, so a request is remembered for up to a tenth of the period longer.
- `CalendarWindow`: the hour, day, week or month of the calendar (`policies.calendar_window`). What it admits, it admits
  in each of them, whenever a key's first request came.

The first two take the monotonic clock: a wall clock that is set grants nothing. The third must ask the wall: set ahead,
it begins a new window; set back, the count stays. A clock that goes backwards all the same never
shrinks a count. All cells at 0.0 is a key without a request.

Keyed windows stand in a table of fixed size, as keyed buckets do: a key has `NEIGHBOURHOOD` places; when none is free
the key that has used least is given up, and counted.
"""

from __future__ import annotations

from math import inf
from zoneinfo import ZoneInfo

from api_gateway_service_mesh.model import LimitAlgorithm, RateLimit

from .calendar_window import Wall, window_at
from .lock import NO_LOCK, Lock, NoLock
from .row import row

__all__ = ["NEIGHBOURHOOD", "PARTS", "CalendarWindow", "FixedWindow", "SlidingWindow", "window_cells"]

NEIGHBOURHOOD = 8
"""How many places a key may stand in."""

PARTS = 10
"""Parts of a sliding window; one more is kept, for the span that begins within a part."""

_FIXED_CELLS = 2  # the window's end, the count
_SLIDING_CELLS = 1 + PARTS + 1  # when the latest part began, the counts in a ring
_HEADER = 8  # cell 0: evictions; a cache line, so that no window's slot is as large as a bucket's


def window_cells(limit: RateLimit) -> int:
    """Cells of the slot of a limit that counts in windows."""
    width = _FIXED_CELLS if limit.algorithm is LimitAlgorithm.FIXED_WINDOW else _SLIDING_CELLS
    return _HEADER + ((1 + width) * (limit.key_capacity + NEIGHBOURHOOD) if limit.keys else width)


class _Window:
    """The table of keys; what a key's cells mean is for the kinds to say."""

    __slots__ = (
        "_base", "_hashes", "_homes", "_lock", "_states", "_view", "_width", "_zero", "burst", "deepest", "iri",
        "period",
    )  # fmt: skip

    def __init__(self, limit: RateLimit, view: memoryview[float], base: int, lock: Lock, width: int) -> None:
        if limit.period_seconds <= 0 or limit.burst < 1:
            raise ValueError(f"a window needs a positive period and a limit of 1 or more: {limit}")
        self.iri = limit.iri
        self.burst = limit.burst
        self.deepest = limit.burst + limit.debt
        """The most that a window counts, what is owed with it."""
        self.period = limit.period_seconds
        self._view = view
        self._base = base
        self._width = width
        self._zero = memoryview(bytes(8 * width)).cast("d")
        self._homes = limit.key_capacity if limit.keys else 0
        places = self._homes + NEIGHBOURHOOD if self._homes else 0
        # float64 cannot hold a 64-bit hash, so the same memory is read as integers.
        hashes = view[base + _HEADER : base + _HEADER + places] if places else memoryview(bytes(8)).cast("d")
        self._hashes = hashes.cast("B").cast("q")
        self._states = base + _HEADER + places
        self._lock: Lock | None = None if isinstance(lock, NoLock) else lock

    def take(self, now: float, key_hash: int = 0, cost: int = 1) -> float:
        """Ask for `cost` of the key's window: 0.0 when admitted, else the seconds until that much will be there."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            return self._take(self._cells(key_hash, now), now, cost, self.burst)
        finally:
            if lock is not None:
                lock.release()

    def charge(self, now: float, key_hash: int, cost: int) -> None:
        """Take `cost` of the key's window, whether it is there or not; not more than it may owe."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            at = self._cells(key_hash, now)
            taken = min(cost, self.deepest - int(self._used(at, now)))
            if taken > 0:
                self._take(at, now, taken, self.deepest)
        finally:
            if lock is not None:
                lock.release()

    def remaining(self, now: float, key_hash: int = 0) -> int:
        """What is left of the key's window."""
        place = self._find(key_hash)
        return self.burst if place is None else max(0, self.burst - int(self._used(place, now)))

    def reset_seconds(self, now: float, key_hash: int = 0) -> float:
        """Seconds until the key has the whole limit again, when it asks for nothing."""
        place = self._find(key_hash)
        return 0.0 if place is None else self._reset(place, now)

    @property
    def evictions(self) -> int:
        """How often a key that had used some of its window was given up for another."""
        return int(self._view[self._base])

    def _take(self, at: int, now: float, cost: int, most: int) -> float:
        raise NotImplementedError

    def _used(self, at: int, now: float) -> float:
        raise NotImplementedError

    def _reset(self, at: int, now: float) -> float:
        raise NotImplementedError

    def _find(self, key_hash: int) -> int | None:
        if not self._homes:
            return self._states
        home, stored = key_hash % self._homes, key_hash or 1  # 0 marks a place that was never used
        hashes = self._hashes[home : home + NEIGHBOURHOOD].tolist()
        return self._states + (home + hashes.index(stored)) * self._width if stored in hashes else None

    def _cells(self, key_hash: int, now: float) -> int:
        """Where the key's cells begin, made when it has none. The lock is held."""
        found = self._find(key_hash)
        if found is not None:
            return found
        home, states, width = key_hash % self._homes, self._states, self._width
        used = [self._used(states + place * width, now) for place in range(home, home + NEIGHBOURHOOD)]
        least = min(used)
        if least:
            self._view[self._base] += 1.0
        place = home + used.index(least)
        at = states + place * width
        self._view[at : at + width] = self._zero
        self._hashes[place] = key_hash or 1
        return at

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.iri} {self.burst} in {self.period:g} s>"


class FixedWindow(_Window):
    """See the module."""

    __slots__ = ()

    def __init__(self, limit: RateLimit, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        super().__init__(limit, view, base, lock, _FIXED_CELLS)

    def _take(self, at: int, now: float, cost: int, most: int) -> float:
        view = self._view
        left = view[at] - now
        if left <= 0.0:
            view[at] = now + self.period
            view[at + 1] = 0.0
            left = self.period
        elif left > self.period:  # the clock was set back, or a reload made the period shorter: the count stays
            left = self.period
            view[at] = now + left
        used = view[at + 1] + cost
        if used > most:
            return left
        view[at + 1] = used
        return 0.0

    def _used(self, at: int, now: float) -> float:
        return self._view[at + 1] if self._view[at] > now else 0.0

    def _reset(self, at: int, now: float) -> float:
        return max(0.0, min(self._view[at] - now, self.period)) if self._view[at + 1] else 0.0


class SlidingWindow(_Window):
    """See the module. A part is known by when it began; its count stands in the ring at the part's number."""

    __slots__ = ("_part",)

    def __init__(self, limit: RateLimit, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        super().__init__(limit, view, base, lock, _SLIDING_CELLS)
        self._part = limit.period_seconds / PARTS

    def _take(self, at: int, now: float, cost: int, most: int) -> float:
        view, kept = self._view, PARTS + 1
        number, latest = int(now / self._part), int(view[at] / self._part + 0.5)
        if latest < number:
            for passed in range(max(latest + 1, number - PARTS), number + 1):
                view[at + 1 + passed % kept] = 0.0
            view[at] = number * self._part
        elif latest > number:  # the clock was set back, or the period changed: what was counted counts as of now
            counted = sum(row(view[at + 1 : at + 1 + kept]))
            view[at : at + 1 + kept] = self._zero
            view[at] = number * self._part
            view[at + 1 + number % kept] = counted
        counts = row(view[at + 1 : at + 1 + kept])
        over = sum(counts) + cost - most
        if over <= 0:
            view[at + 1 + number % kept] += cost
            return 0.0
        for part in range(number - PARTS, number + 1):
            over -= counts[part % kept]
            if over <= 0:
                return max((part + kept) * self._part - now, self._part / 1000)
        return inf

    def _used(self, at: int, now: float) -> float:
        kept = PARTS + 1
        number, latest = int(now / self._part), int(self._view[at] / self._part + 0.5)
        first = max(number - PARTS, latest - PARTS)
        return sum(self._view[at + 1 + part % kept] for part in range(first, latest + 1))

    def _reset(self, at: int, now: float) -> float:
        kept = PARTS + 1
        latest = int(self._view[at] / self._part + 0.5)
        for part in range(latest, latest - kept, -1):
            if self._view[at + 1 + part % kept]:
                return max(0.0, min((part + kept) * self._part - now, self.period + self._part))
        return 0.0


class CalendarWindow(_Window):
    """See the module. A key's cells are when the window began that its count is of, and the count."""

    __slots__ = ("_begins", "_ends", "_unit", "_wall", "_zone")

    def __init__(
        self,
        limit: RateLimit,
        view: memoryview[float],
        base: int,
        lock: Lock = NO_LOCK,
        wall: Wall = float,
    ) -> None:
        if limit.calendar is None:
            raise ValueError(f"a window of the calendar needs to know which: {limit}")
        super().__init__(limit, view, base, lock, _FIXED_CELLS)
        self._unit = limit.calendar
        self._zone = ZoneInfo(limit.zone)
        self._wall = wall
        self._begins = self._ends = 0.0

    def _turn(self, now: float) -> float:
        """What the clock on the wall shows; the window is then the one of that moment."""
        wall = self._wall(now)
        if not self._begins <= wall < self._ends:
            self._begins, self._ends = window_at(self._unit, self._zone, wall)
        return wall

    def _take(self, at: int, now: float, cost: int, most: int) -> float:
        wall, view = self._turn(now), self._view
        began = view[at]
        if began < self._begins:
            view[at] = self._begins
            view[at + 1] = 0.0
        elif began > self._ends:  # the clock was set back, or a reload made the windows longer: the count stays
            view[at] = self._begins
        # Where it is the very next one, another worker has begun it, while this request was on its way.
        used = view[at + 1] + cost
        if used > most:
            return self._ends - wall
        view[at + 1] = used
        return 0.0

    def _used(self, at: int, now: float) -> float:
        self._turn(now)
        return self._view[at + 1] if self._view[at] >= self._begins else 0.0

    def _reset(self, at: int, now: float) -> float:
        return self._ends - self._turn(now) if self._used(at, now) else 0.0
