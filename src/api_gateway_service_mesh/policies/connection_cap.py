"""How many connections each client address holds, over all workers: a table of addresses in the cells.

- An address has `NEIGHBOURHOOD` places from its home on, where its hash and a count a worker stand. A place whose
  counts are all 0 is free, whatever hash stands there.
- A worker takes a place under the lock, and counts down without it: the cell is its own, and nobody takes a place that
  is counted on. What a worker held that died is set to 0 for it (`clear_connections`).
- An address for which there is no place is let in uncounted, and that is counted: with some 65,000 addresses connected
  one client more is no harm, and to turn strangers away for it would be one.
"""

from __future__ import annotations

from .lock import NO_LOCK, Lock, NoLock
from .row import row

__all__ = ["CONNECTION_PLACES", "FULL", "UNCOUNTED", "AddressTable", "clear_connections", "connection_cells"]

NEIGHBOURHOOD = 16
_HOMES = 65536
CONNECTION_PLACES = _HOMES + NEIGHBOURHOOD
"""The places of the last homes run on past the end."""

FULL = -1
"""The address holds as many as it may."""
UNCOUNTED = -2
"""There is no place for the address."""


def connection_cells(workers: int) -> int:
    """Cells of the slot of kind ``connections``."""
    return CONNECTION_PLACES * (1 + workers)


class AddressTable:
    """One worker's view of the table of one listener."""

    __slots__ = ("_counts", "_hashes", "_lock", "_view", "_worker", "_workers")

    def __init__(
        self, view: memoryview[float], base: int, worker: int = 0, workers: int = 1, lock: Lock = NO_LOCK
    ) -> None:
        self._view = view
        # float64 cannot hold a 64-bit hash, so the same memory is read as integers.
        self._hashes = view[base : base + CONNECTION_PLACES].cast("B").cast("q")
        self._counts = base + CONNECTION_PLACES
        self._worker = worker
        self._workers = workers
        self._lock: Lock | None = None if isinstance(lock, NoLock) else lock

    def enter(self, key_hash: int, most: int) -> int:
        """Count one connection more of an address: the place it is counted at, `FULL`, or `UNCOUNTED`.

        `key_hash` is a 64-bit hash, as `policies.key.key_hash` makes it; `most`: how many the address may hold.
        """
        stored = key_hash or 1  # 0 marks a place that was never used
        home = stored % _HOMES
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            hashes = self._hashes[home : home + NEIGHBOURHOOD].tolist()
            if stored in hashes:
                place = home + hashes.index(stored)
                if self._held(place) >= most:
                    return FULL
            else:
                place = self._free(home)
                if place < 0:
                    return UNCOUNTED
                self._hashes[place] = stored
            self._view[self._counts + place * self._workers + self._worker] += 1.0
            return place
        finally:
            if lock is not None:
                lock.release()

    def leave(self, place: int, key_hash: int) -> None:
        """A connection that was counted at `place` is gone."""
        cell = self._counts + place * self._workers + self._worker
        if self._hashes[place] == (key_hash or 1) and self._view[cell] > 0.0:
            self._view[cell] -= 1.0

    def held(self, key_hash: int) -> int:
        """How many connections the address holds, over all workers."""
        stored = key_hash or 1
        home = stored % _HOMES
        hashes = self._hashes[home : home + NEIGHBOURHOOD].tolist()
        return int(self._held(home + hashes.index(stored))) if stored in hashes else 0

    def _held(self, place: int) -> float:
        start = self._counts + place * self._workers
        if self._workers == 1:
            return float(self._view[start])
        return sum(row(self._view[start : start + self._workers]))

    def _free(self, home: int) -> int:
        workers = self._workers
        start = self._counts + home * workers
        counts = row(self._view[start : start + NEIGHBOURHOOD * workers])
        for number in range(NEIGHBOURHOOD):
            if not any(counts[number * workers : (number + 1) * workers]):
                return home + number
        return -1

    def __repr__(self) -> str:
        return f"<AddressTable of worker {self._worker} of {self._workers}>"


def clear_connections(view: memoryview[float], base: int, worker: int, workers: int) -> None:
    """Forget the connections that a crashed worker held. Only while no process runs as that worker."""
    hashes = view[base : base + CONNECTION_PLACES].cast("B").cast("q").tolist()
    for place, stored in enumerate(hashes):
        if stored:
            view[base + CONNECTION_PLACES + place * workers + worker] = 0.0
