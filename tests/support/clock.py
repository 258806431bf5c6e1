"""A clock that only the test moves."""

from __future__ import annotations

__all__ = ["Clock"]


class Clock:
    """Call it for the time in seconds. It begins late, as a real one does: float64 is coarser there."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass (a negative number: a clock that was set back) and return the new time."""
        self.now += seconds
        return self.now

    def __repr__(self) -> str:
        return f"<Clock {self.now:.6f}>"
