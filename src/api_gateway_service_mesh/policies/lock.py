"""Locks for the machines that read, change and write cells.

In one process nothing can come between (the machines never await), so no lock is needed. Between workers a semaphore is
shared. A worker that is killed inside a critical section (about a microsecond long) would leave it taken for ever, so a
`SharedLock` waits a bounded time and then takes it over: the cells hold plain numbers, and the worst that a takeover
costs is one lost count.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext
from typing import Any, Protocol

__all__ = ["NO_LOCK", "Lock", "NoLock", "SharedLock"]

TAKEOVER_SECONDS = 0.25
"""Longer than a container over its CPU quota is held back (a period is 0.1 s): slow is not dead."""


class Lock(Protocol):
    """What a machine asks of a lock. Results are ignored: after `acquire` returns, the machine goes ahead."""

    def acquire(self) -> object: ...

    def release(self) -> object: ...


class NoLock:
    """The lock of a gateway with one process. Machines recognise it and skip both calls."""

    __slots__ = ()

    def acquire(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""

    def __repr__(self) -> str:
        return "<NoLock>"


NO_LOCK = NoLock()


class SharedLock:
    """A lock between processes. Hand it to workers at their start (fork, or as an argument of a spawned process).

    ``raw`` is a ``multiprocessing.Lock``. A holder that keeps it longer than ``TAKEOVER_SECONDS`` is taken for dead.
    """

    __slots__ = ("_acquire", "_raw", "_release")

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._acquire = raw.acquire
        self._release = raw.release

    @classmethod
    def create(cls, context: BaseContext | None = None) -> SharedLock:
        """A new lock, of the given start method's context (default: the platform's)."""
        return cls((context or multiprocessing.get_context()).Lock())

    def acquire(self) -> bool:
        """Wait at most `TAKEOVER_SECONDS`. False: the lock was taken over from a holder that did not come back."""
        return bool(self._acquire(True, TAKEOVER_SECONDS))

    def release(self) -> None:
        """Give it back. A holder that was only slow, not dead, finds it given back already; that is no error."""
        try:
            self._release()
        except ValueError:
            pass

    def __reduce__(self) -> tuple[type[SharedLock], tuple[Any]]:
        return (SharedLock, (self._raw,))

    def __repr__(self) -> str:
        return f"<SharedLock {self._raw!r}>"
