"""Request ids: unique over processes and restarts, cheap enough for every request.

An id is 32 hexadecimal digits, as a W3C trace id is, so that one can be used as the other: 16 random digits drawn when the
process starts, then 16 of a counter that starts anywhere. Neither the number of requests nor anything of the machine can
be read off one id.
"""

from __future__ import annotations

import itertools
import os

__all__ = ["RequestIds"]


class RequestIds:
    """Call it for the next id. One per process (a fork must make its own)."""

    __slots__ = ("_next", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(8).hex()
        start = int.from_bytes(os.urandom(8)) >> 1
        self._next = itertools.count(start).__next__

    def __call__(self) -> str:
        """The next id."""
        return f"{self._prefix}{self._next():016x}"
