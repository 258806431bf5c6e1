"""Rate limits: the choice of a machine for a limit, and the token bucket in one number.

A bucket of `burst` tokens, refilled at `requests_per_second`, that gives one token a request is equal to the generic
cell rate algorithm (ITU-T I.371, virtual scheduling): keep the *theoretical arrival time* (TAT) at which the bucket
will be full again. A request at `now` that costs c moves it to ``max(TAT, now) + c/rate`` and is admitted when that is
at most ``now + burst/rate``. One float is the whole state, and 0.0 is a full bucket.

Rules:

- In any span of t seconds at most ``burst + rate * t`` tokens are given, over all workers.
- A refused request takes nothing. A clock that goes backwards grants nothing: the bucket is then at most empty.
- A keyed limit holds a bucket for each key in a table of fixed size (``agw:keyCapacity``), however many keys come. A
  key looks for its bucket in `NEIGHBOURHOOD` places from its home on; a bucket that is full again is a free place. When
  all are taken the one that is nearest to full is given up, and counted. That errs for the caller who is pushed out:
  they come back to a full bucket. So a key that uses its limit up stays, whatever flood of keys comes that use less; no
  key whose bucket stands gets more than rate and burst.
- What an answer costs (``agw:responseCostHeader``) is charged when nothing can be refused any more. The bucket is then
  in debt, ``RateLimit.debt`` tokens at the most, and admits nothing until that is paid.

The windows (``agw:limitAlgorithm``, ``agw:quota``) stand in `policies.rate_limit_window`.
"""

from __future__ import annotations

from typing import Protocol

from api_gateway_service_mesh.model import LimitAlgorithm, RateLimit

from .calendar_window import Wall
from .lock import NO_LOCK, Lock, NoLock
from .rate_limit_window import NEIGHBOURHOOD, CalendarWindow, FixedWindow, SlidingWindow, window_cells
from .row import row

__all__ = ["KeyedTokenBucket", "Limiter", "TokenBucket", "limiter", "rate_limit_cells"]

ROUNDING = 1e-3
"""Part of a token that a request may come too early: float64 of a long-running clock cannot tell that from punctual."""


class Limiter(Protocol):
    """What a gate asks of the machine of a limit."""

    def take(self, now: float, key_hash: int = 0, cost: int = 1) -> float:
        """Ask for `cost` tokens of the key: 0.0 when admitted, else the seconds until they will be there."""

    def charge(self, now: float, key_hash: int, cost: int) -> None:
        """Take `cost` tokens of the key, whether they are there or not."""

    def remaining(self, now: float, key_hash: int = 0) -> int:
        """Whole tokens that the key has left."""

    def reset_seconds(self, now: float, key_hash: int = 0) -> float:
        """Seconds until the key has all its tokens again, when it asks for none."""

    @property
    def evictions(self) -> int:
        """How often a key that had used some of its tokens was given up for another."""


def rate_limit_cells(limit: RateLimit) -> int:
    """Cells of the slot of kind ``rate_limit``. It differs with the algorithm, so that none reads another's state."""
    if limit.algorithm is not LimitAlgorithm.TOKEN_BUCKET:
        return window_cells(limit)
    return 2 * (limit.key_capacity + NEIGHBOURHOOD) + 1 if limit.keys else 1


def limiter(limit: RateLimit, view: memoryview[float], base: int, lock: Lock = NO_LOCK, wall: Wall = float) -> Limiter:
    """The machine for `limit`: by its algorithm, keyed when it has a key. `wall` tells windows of the calendar what
    they cannot know from `now`; by default the two clocks are one."""
    if limit.algorithm is LimitAlgorithm.TOKEN_BUCKET:
        return (KeyedTokenBucket if limit.keys else TokenBucket)(limit, view, base, lock)
    if limit.calendar is not None:
        return CalendarWindow(limit, view, base, lock, wall)
    window = FixedWindow if limit.algorithm is LimitAlgorithm.FIXED_WINDOW else SlidingWindow
    return window(limit, view, base, lock)


class _Bucket:
    """The arithmetic of one TAT."""

    __slots__ = ("_deepest", "_interval", "_lock", "_tolerance", "_view", "burst", "iri", "rate")

    def __init__(self, limit: RateLimit, view: memoryview[float], lock: Lock) -> None:
        if limit.requests_per_second <= 0 or limit.burst < 1:
            raise ValueError(f"a rate limit needs a positive rate and a burst of 1 or more: {limit}")
        self.iri = limit.iri
        self.rate = limit.requests_per_second
        self.burst = limit.burst
        self._interval = 1.0 / limit.requests_per_second
        self._tolerance = limit.burst * self._interval
        self._deepest = self._tolerance + limit.debt * self._interval
        self._view = view
        self._lock: Lock | None = None if isinstance(lock, NoLock) else lock

    def _remaining(self, tat: float, now: float) -> int:
        return max(0, min(self.burst, int((now - tat + self._tolerance) / self._interval + ROUNDING)))

    def _reset(self, tat: float, now: float) -> float:
        return max(0.0, min(tat - now, self._deepest))

    def _charged(self, tat: float, now: float, cost: int) -> float:
        """The TAT after `cost` tokens that were not asked for."""
        return now + min(max(0.0, tat - now) + self._interval * cost, self._deepest)


class TokenBucket(_Bucket):
    """One bucket for all callers."""

    __slots__ = ("_base",)

    def __init__(self, limit: RateLimit, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        super().__init__(limit, view, lock)
        self._base = base

    def take(self, now: float, key_hash: int = 0, cost: int = 1) -> float:
        """Ask for `cost` tokens: 0.0 when admitted, else the seconds until they are there. No `key_hash` is used."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            view, base, interval = self._view, self._base, self._interval
            ahead = view[base] - now
            if ahead < 0.0:
                ahead = 0.0
            elif ahead > self._deepest:
                # The clock was set back, or a reload made the limit tighter: the bucket is empty, not in debt.
                ahead = self._deepest
                view[base] = now + ahead
            step = interval if cost == 1 else interval * cost
            wait = ahead + step - self._tolerance
            if wait > interval * ROUNDING:
                return wait
            view[base] = now + (ahead + step)
            return 0.0
        finally:
            if lock is not None:
                lock.release()

    def charge(self, now: float, key_hash: int, cost: int) -> None:
        """Take `cost` tokens, whether they are there or not; no more than it may owe. No `key_hash` is used."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            self._view[self._base] = self._charged(self._view[self._base], now, cost)
        finally:
            if lock is not None:
                lock.release()

    def remaining(self, now: float, key_hash: int = 0) -> int:
        """Whole tokens in the bucket."""
        return self._remaining(self._view[self._base], now)

    def reset_seconds(self, now: float, key_hash: int = 0) -> float:
        """Seconds until the bucket is full again."""
        return self._reset(self._view[self._base], now)

    @property
    def evictions(self) -> int:
        """None: there is but one bucket."""
        return 0

    def __repr__(self) -> str:
        return f"<TokenBucket {self.iri} rate={self.rate:g}/s burst={self.burst} tat={self._view[self._base]:.3f}>"


class KeyedTokenBucket(_Bucket):
    """A bucket for each key, in a table of ``key_capacity`` places: first the hashes, then the TATs.

    The places of the last homes run on past the end, so that a neighbourhood is always one run.
    """

    __slots__ = ("_evictions", "_hashes", "_homes", "_tats")

    def __init__(self, limit: RateLimit, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        super().__init__(limit, view, lock)
        self._homes = limit.key_capacity
        places = self._homes + NEIGHBOURHOOD
        # float64 cannot hold a 64-bit hash, so the same memory is read as integers.
        self._hashes = view[base : base + places].cast("B").cast("q")
        self._tats = view[base + places : base + 2 * places]
        self._evictions = base + 2 * places

    def take(self, now: float, key_hash: int = 0, cost: int = 1) -> float:
        """Ask for `cost` tokens of the key: 0.0 when admitted, else the seconds until they will be there.

        `key_hash` is a 64-bit hash of the key, as `policies.key.key_hash` makes it.
        """
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            stored = key_hash or 1  # 0 marks a place that was never used
            place = key_hash % self._homes
            tats, interval, deepest = self._tats, self._interval, self._deepest
            if self._hashes[place] != stored:
                place = self._place(place, stored, now)
            ahead = tats[place] - now
            if ahead < 0.0:
                ahead = 0.0
            elif ahead > deepest:
                ahead = deepest
                tats[place] = now + ahead
            step = interval if cost == 1 else interval * cost
            wait = ahead + step - self._tolerance
            if wait > interval * ROUNDING:
                return wait
            tats[place] = now + (ahead + step)
            return 0.0
        finally:
            if lock is not None:
                lock.release()

    def charge(self, now: float, key_hash: int, cost: int) -> None:
        """Take `cost` tokens of the key, whether they are there or not; no more than it may owe."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            place = self._place(key_hash % self._homes, key_hash or 1, now)
            self._tats[place] = self._charged(self._tats[place], now, cost)
        finally:
            if lock is not None:
                lock.release()

    def remaining(self, now: float, key_hash: int = 0) -> int:
        """Whole tokens in the key's bucket."""
        return self._remaining(self._tat(key_hash), now)

    def reset_seconds(self, now: float, key_hash: int = 0) -> float:
        """Seconds until the key's bucket is full again."""
        return self._reset(self._tat(key_hash), now)

    @property
    def evictions(self) -> int:
        """How often a bucket that was not full was given up for another key."""
        return int(self._view[self._evictions])

    def keys(self, now: float) -> int:
        """How many keys have a bucket that is not full; reads the whole table, for observers only."""
        return sum(tat > now for tat in row(self._tats))

    def _place(self, home: int, stored: int, now: float) -> int:
        """The key's place, made when it has none. The lock is held."""
        hashes = self._hashes[home : home + NEIGHBOURHOOD].tolist()
        if stored in hashes:
            return home + hashes.index(stored)
        tats = row(self._tats[home : home + NEIGHBOURHOOD])
        oldest = min(tats)
        place = home + tats.index(oldest)
        if oldest > now:
            self._view[self._evictions] += 1.0
        self._tats[place] = 0.0
        self._hashes[place] = stored
        return place

    def _tat(self, key_hash: int) -> float:
        home = key_hash % self._homes
        hashes = self._hashes[home : home + NEIGHBOURHOOD].tolist()
        stored = key_hash or 1
        return float(self._tats[home + hashes.index(stored)]) if stored in hashes else 0.0

    def __repr__(self) -> str:
        used = sum(map(bool, self._hashes.tolist()))
        return f"<KeyedTokenBucket {self.iri} rate={self.rate:g}/s burst={self.burst} places={used}/{self._homes}>"
