"""When a worker that ended unasked is started again, and what is said of one that ends again and again.

One that ran for `STEADY_SECONDS` comes back at once: its siblings, or the kernel's queue, hold its connections until
then. The others wait, twice as long each time; those that never served up to `LONGEST_PAUSE`, because a start costs the
better part of a second of a core, those that did serve for less, because they are worth more than they cost.
"""

from __future__ import annotations

__all__ = ["Comeback"]

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
LONGEST_PAUSE_SERVED = 1.0
STEADY_SECONDS = 10.0
MANY = 3
"""Ends in a row, each before `STEADY_SECONDS`, that are called a crash loop."""


class Comeback:
    """The ends of one worker, by its number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._ends = 0
        self._how = ""

    def ended(self, how: str, *, ran: float, served: bool) -> float:
        """It ended, after it `ran` so many seconds. How many seconds to wait before it is started again."""
        self._how = how
        if ran > STEADY_SECONDS:
            self._ends = 0
            return 0.0
        self._ends += 1
        pause = FIRST_PAUSE * 2.0 ** min(self._ends, 16)
        return min(pause, LONGEST_PAUSE_SERVED if served else LONGEST_PAUSE)

    def steady(self, ran: float) -> None:
        """It runs, for so many seconds now."""
        if ran > STEADY_SECONDS:
            self._ends = 0

    @property
    def trouble(self) -> str | None:
        """The crash loop in a sentence, while there is one."""
        if self._ends < MANY:
            return None
        return (
            f"worker {self._number} ended {self._ends} times in a row within {STEADY_SECONDS:g} s of its start, "
            f"last with {self._how}"
        )
