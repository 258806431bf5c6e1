"""Hours, days, weeks and months as clocks on the wall of a time zone show them (``agw:quotaCalendar``).

Rules:

- Windows do not overlap and leave nothing out: each moment is in exactly one, whatever daylight saving time does.
- A day begins at midnight, a week on Monday (ISO 8601), a month on its first day. A day with a change of the clocks is
  as long as it is there: 23 or 25 hours, as a rule. Where the clocks skip midnight, it begins when they do so.
- An hour begins when the clocks show a full one. One that the clocks go through twice is two. A change of half an hour
  (Lord Howe Island) ends the hour it falls into.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from api_gateway_service_mesh.model import CalendarUnit

__all__ = ["Wall", "boundaries", "window_at"]

Wall = Callable[[float], float]
"""What the clock on the wall (seconds since 1970) showed when the monotonic clock showed that."""

_HOUR = 3600


def window_at(unit: CalendarUnit, zone: ZoneInfo, wall: float) -> tuple[float, float]:
    """When the window began that `wall` is in, and when it ends; seconds since 1970. The end is outside."""
    if unit is CalendarUnit.HOUR:
        return _hour(zone, floor(wall))
    first = _first(unit, datetime.fromtimestamp(wall, zone).date())
    following = _following(unit, first)
    while _midnight(first, zone) > wall:
        first, following = _first(unit, first - timedelta(days=1)), first
    while _midnight(following, zone) <= wall:
        first, following = following, _following(unit, following)
    return _midnight(first, zone), _midnight(following, zone)


def boundaries(unit: CalendarUnit, zone: ZoneInfo, wall: float) -> tuple[float, float, float]:
    """When the window of `wall` began, when it ends, and when the next one does: what another clock, that is not quite
    the same, finds its window with."""
    begins, ends = window_at(unit, zone, wall)
    return begins, ends, window_at(unit, zone, ends)[1]


def _first(unit: CalendarUnit, day: date) -> date:
    if unit is CalendarUnit.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit is CalendarUnit.WEEK else day


def _following(unit: CalendarUnit, first: date) -> date:
    if unit is CalendarUnit.MONTH:
        return (first + timedelta(days=32)).replace(day=1)
    return first + timedelta(days=7 if unit is CalendarUnit.WEEK else 1)


def _midnight(day: date, zone: ZoneInfo) -> float:
    # Of a midnight that comes twice the first; of one that is skipped, the moment that the clocks skip it (PEP 495).
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _hour(zone: ZoneInfo, second: int) -> tuple[float, float]:
    local, offset = datetime.fromtimestamp(second, zone), _offset(zone, second)
    begins = second - 60 * local.minute - local.second
    ends = begins + _HOUR
    if _offset(zone, begins) != offset:
        begins = _change(zone, begins, second)
    if _offset(zone, ends - 1) != offset:
        ends = _change(zone, second, ends - 1)
    return float(begins), float(ends)


def _offset(zone: ZoneInfo, second: int) -> timedelta | None:
    return datetime.fromtimestamp(second, zone).utcoffset()


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second at which the clocks are as they are at `after`; at `before` they are not yet."""
    wanted = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == wanted:
            after = middle
        else:
            before = middle
    return after
