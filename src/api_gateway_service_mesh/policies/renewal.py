"""Who renews a session, over all workers: a board in the cells where one claims it and leaves what came of it.

A refresh token that is rotated (RFC 9700 §4.14.2) must be used once: to a provider, a second use is a theft. So who is
about to use one claims it under the lock. Others that come meanwhile are told so, and find the result when it is there:
bytes, sealed by whoever left them, since this memory is no place for secrets.

A claim lasts `LEASE_SECONDS`: longer than a provider is waited for, so only that of a worker that died runs out. A
result is kept for `RESULT_SECONDS`. When all places of the board are taken one acts alone.
"""

from __future__ import annotations

from api_gateway_service_mesh.model import RenewalClaim

from .lock import NO_LOCK, Lock, NoLock

__all__ = [
    "LEASE_SECONDS",
    "RENEWAL_CELLS",
    "RESULT_BYTES",
    "RESULT_SECONDS",
    "RenewalBoard",
]

LEASE_SECONDS = 15.0
RESULT_SECONDS = 30.0
RESULT_BYTES = 20480
PLACES = 64

_HASH, _BEGAN, _DONE, _LENGTH = range(4)
_HEAD = 8
_PLACE_CELLS = _HEAD + RESULT_BYTES // 8
RENEWAL_CELLS = PLACES * _PLACE_CELLS
"""Cells of the slot of kind ``renewal``. Of most of them none is ever written."""


class RenewalBoard:
    """The board of one login. Times are of the monotonic clock, which all processes of a machine share."""

    __slots__ = ("_base", "_lock", "_view")

    def __init__(self, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        self._view = view
        self._base = base
        self._lock: Lock | None = None if isinstance(lock, NoLock) else lock

    def claim(self, key_hash: int, now: float) -> int:
        """Ask for the renewal of `key_hash`, a positive 48-bit number: a place, when it is the caller's to do, which
        then calls `leave` or `drop`; else a `RenewalClaim`."""
        stored = float(key_hash or 1)
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            view, free = self._view, -1
            for place in range(PLACES):
                at = self._base + place * _PLACE_CELLS
                done = view[at + _DONE]
                taken = 0.0 <= now - done < RESULT_SECONDS if done else 0.0 <= now - view[at + _BEGAN] < LEASE_SECONDS
                if view[at + _HASH] == stored:
                    if taken:
                        return RenewalClaim.RENEWED if done else RenewalClaim.ELSEWHERE
                    free = place
                    break
                if free < 0 and (not view[at + _HASH] or not taken):
                    free = place
            if free < 0:
                return RenewalClaim.ALONE
            at = self._base + free * _PLACE_CELLS
            view[at + _HASH] = stored
            view[at + _BEGAN] = now
            view[at + _DONE] = 0.0
            view[at + _LENGTH] = 0.0
            return free
        finally:
            if lock is not None:
                lock.release()

    def leave(self, place: int, key_hash: int, now: float, result: bytes) -> None:
        """It is done, with this result: at most `RESULT_BYTES`; nothing says that it cannot be renewed any more."""
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            at = self._base + place * _PLACE_CELLS
            if self._view[at + _HASH] != float(key_hash or 1) or self._view[at + _DONE]:
                return  # the lease ran out, and somebody else has the place
            size = len(result)
            if size:
                self._bytes(at)[:size] = result
            self._view[at + _LENGTH] = float(size)
            self._view[at + _DONE] = now
        finally:
            if lock is not None:
                lock.release()

    def drop(self, place: int, key_hash: int) -> None:
        """It came to nothing, and may be tried again."""
        at = self._base + place * _PLACE_CELLS
        if self._view[at + _HASH] == float(key_hash or 1) and not self._view[at + _DONE]:
            self._view[at + _HASH] = 0.0

    def result(self, key_hash: int, now: float) -> bytes | None:
        """What was left; None when there is nothing any more."""
        stored = float(key_hash or 1)
        lock = self._lock
        if lock is not None:
            lock.acquire()
        try:
            for place in range(PLACES):
                at = self._base + place * _PLACE_CELLS
                done = self._view[at + _DONE]
                if self._view[at + _HASH] == stored and done and 0.0 <= now - done < RESULT_SECONDS:
                    return bytes(self._bytes(at)[: int(self._view[at + _LENGTH])])
            return None
        finally:
            if lock is not None:
                lock.release()

    def _bytes(self, at: int) -> memoryview[int]:
        return self._view[at + _HEAD : at + _PLACE_CELLS].cast("B")

    def __repr__(self) -> str:
        used = sum(1 for place in range(PLACES) if self._view[self._base + place * _PLACE_CELLS])
        return f"<RenewalBoard used={used}/{PLACES}>"
