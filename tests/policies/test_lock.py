"""Locks: exactness between processes, and recovery from a holder that died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.lock import NO_LOCK, TAKEOVER_SECONDS, NoLock, SharedLock


def _add(fd: int, lock: SharedLock, times: int) -> None:
    view = CellStore.attach(fd, 8).view
    for _ in range(times):
        lock.acquire()
        view[0] += 1.0
        lock.release()


def test_processes_lose_no_update() -> None:
    store = CellStore.shared(8)
    context = multiprocessing.get_context("fork")
    lock = SharedLock.create(context)
    workers = [context.Process(target=_add, args=(store.fd, lock, 5000)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert store.view[0] == 15000.0
    store.close()


def test_a_lock_of_a_killed_holder_is_taken_over_and_whole_again() -> None:
    lock = SharedLock.create(multiprocessing.get_context("fork"))
    ready, held = os.pipe()
    pid = os.fork()
    if not pid:
        lock.acquire()
        os.write(held, b"!")
        signal.pause()
    os.read(ready, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    began = time.monotonic()
    assert lock.acquire() is False
    assert time.monotonic() - began >= TAKEOVER_SECONDS * 0.9
    lock.release()
    assert lock.acquire() is True, "after the takeover it works as before"
    assert lock.acquire() is False, "and excludes"
    lock.release()
    lock.release()  # a slow holder that comes back after a takeover: no error, and no second place
    assert lock.acquire() is True
    assert lock.acquire() is False
    for descriptor in (ready, held):
        os.close(descriptor)


def test_a_lock_can_be_sent_to_a_spawned_worker() -> None:
    context = multiprocessing.get_context("spawn")
    lock = SharedLock.create(context)
    lock.acquire()
    worker = context.Process(target=_give_back, args=(lock,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert lock.acquire() is True


def _give_back(lock: SharedLock) -> None:
    lock.release()


def test_status_lines() -> None:
    assert repr(NO_LOCK) == "<NoLock>"
    assert isinstance(NO_LOCK, NoLock)
    assert repr(SharedLock.create()).startswith("<SharedLock <Lock(")
