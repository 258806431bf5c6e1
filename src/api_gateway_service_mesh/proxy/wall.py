"""The clock on the wall, for what goes by the calendar. Everything else goes by the monotonic clock."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

__all__ = ["wall_clock"]


def wall_clock(now: float) -> float:
    """What the clock on the wall (seconds since 1970) showed when the monotonic clock showed `now`."""
    return datetime.now(UTC).timestamp() - (monotonic() - now)
