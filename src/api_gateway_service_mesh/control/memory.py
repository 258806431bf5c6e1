"""How much memory this process takes, and when it is worth looking for cycles in it."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

__all__ = ["Collections", "resident_bytes"]

_GROWTH = 1.5
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident memory, in bytes (Linux ``/proc/self/statm``)."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()


class Collections:
    """Full collections of a process that holds large structures and makes little garbage: they are made when memory has
    grown by half and by `least` bytes since the last, not at every so many changes.

    What is there is otherwise kept out of the collector's sight: it would look through all of it, while nothing else
    runs.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._used = 0

    def settle(self) -> None:
        """Something new is in force."""
        used = resident_bytes()
        if used > self._used * _GROWTH + self._least:
            if self._used:
                gc.unfreeze()
                gc.collect()
                used = resident_bytes()
            self._used = used
        gc.freeze()
