"""Forked processes for tests of what is shared between workers."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable

__all__ = ["in_processes"]


def in_processes(work: Callable[[int], object], numbers: range, *, seconds: int = 30) -> None:
    """Run ``work(number)`` in a forked process for each number, and wait for all.

    A process that raises, or takes longer than `seconds`, fails the test; none goes on as a second test runner.
    """
    children = []
    for number in numbers:
        pid = os.fork()
        if not pid:
            signal.alarm(seconds)
            status = 1
            try:
                work(number)
                status = 0
            except BaseException:  # the process must end here, whatever happened
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    assert statuses == [0] * len(statuses)
