"""One lock for all workers' cells, by name, so that workers started from scratch (and again after a crash) can take it.

`policies.lock.SharedLock` bounds the wait for a holder that was killed. The semaphore under it is the one
`multiprocessing.Lock` is made of; its own lock object can be handed only to processes that `multiprocessing` started,
which would import the user's main module again in every worker.
"""

from __future__ import annotations

import os
from _multiprocessing import SemLock, sem_unlink  # type: ignore[import-not-found]

from api_gateway_service_mesh.policies.lock import SharedLock

__all__ = ["attach_lock", "create_lock", "remove_lock"]

_SEMAPHORE = 1  # a semaphore that any process may release (multiprocessing.synchronize.SEMAPHORE)


def create_lock() -> str:
    """Make a lock; its name is for `attach_lock`. Give it back with `remove_lock`."""
    name = f"/agw-{os.getpid()}-{os.urandom(6).hex()}"
    SemLock(_SEMAPHORE, 1, 1, name, False)
    return name


def attach_lock(name: str) -> SharedLock:
    """The lock of this name, in this process."""
    return SharedLock(SemLock._rebuild(0, _SEMAPHORE, 1, name))


def remove_lock(name: str) -> None:
    """Take the name away; who holds the lock keeps it."""
    try:
        sem_unlink(name)
    except FileNotFoundError:
        pass
