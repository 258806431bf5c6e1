"""Burn rates of service level objectives: how fast a budget of misses is used up.

The windows and the rates that are too fast are those of the Site Reliability Workbook, chapter 5 ("Alerting on SLOs",
multiwindow, multi-burn-rate). Pure: the clock's time comes as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .live_rate import Series

__all__ = ["BURN_WINDOWS", "OBJECTIVE_TIERS", "Burn", "ObjectiveState", "burn_of", "later_than"]

BURN_WINDOWS = (300.0, 1800.0, 3600.0, 21600.0)
"""The windows of burn rates, in seconds."""

OBJECTIVE_TIERS = ((15.0, 300.0), (90.0, 1800.0), (180.0, 3600.0), (1080.0, 21600.0))
"""How closely counts are kept for them, as `live_rate.LIVE_TIERS`."""

FEWEST_REQUESTS = 10
"""Of fewer in the longer window one miss says nothing."""

_FAST = (14.4, 3600.0, 300.0)
_SLOW = (6.0, 21600.0, 1800.0)


class ObjectiveState(StrEnum):
    """Whether the budget lasts."""

    MET = "MET"
    SLOW_BURN = "SLOW_BURN"
    """Six times too fast over six hours, and still so over half an hour."""
    FAST_BURN = "FAST_BURN"
    """14.4 times too fast over an hour, and still so over five minutes."""


@dataclass(frozen=True, slots=True)
class Burn:
    """``rates`` by window, of those that had a request; ``lasts_seconds``: how long a whole budget lasts at the rate of
    the last hour, None where nothing was missed in it."""

    rates: Mapping[float, float]
    state: ObjectiveState
    lasts_seconds: float | None


def burn_of(series: Series, now: float, target: float, window_seconds: float) -> Burn:
    """The burn of a series whose counters are requests and misses, against a `target` (0 to 1, both excluded) that is
    to be kept over `window_seconds`."""
    rates: dict[float, float] = {}
    requests: dict[float, float] = {}
    for window in BURN_WINDOWS:
        _, (total, missed) = series.since(now, window)
        requests[window] = total
        if total > 0:
            rates[window] = min(1.0, missed / total) / (1.0 - target)
    state = ObjectiveState.MET
    for (factor, long, short), found in ((_SLOW, ObjectiveState.SLOW_BURN), (_FAST, ObjectiveState.FAST_BURN)):
        if requests[long] >= FEWEST_REQUESTS and min(rates.get(long, 0.0), rates.get(short, 0.0)) > factor:
            state = found
    hour = rates.get(3600.0, 0.0)
    return Burn(rates, state, window_seconds / hour if hour > 0 else None)


def later_than(bounds: Sequence[float], buckets: Sequence[float], seconds: float) -> float:
    """How many of a histogram took longer than `seconds`, evenly spread within a bucket. What is beyond the last bound
    is later than any."""
    late = 0.0
    for index, count in enumerate(buckets):
        lower = bounds[index - 1] if index else 0.0
        if index == len(bounds) or lower >= seconds:
            late += count
        elif bounds[index] > seconds:
            late += count * (bounds[index] - seconds) / (bounds[index] - lower)
    return late
