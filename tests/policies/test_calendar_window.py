"""Windows of the calendar: where they begin, what daylight saving time does to them, what they admit."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import CalendarUnit, KeyKind, LimitAlgorithm, RateLimit, RequestKey
from api_gateway_service_mesh.policies import CalendarWindow, CellStore
from api_gateway_service_mesh.policies.calendar_window import boundaries, window_at
from api_gateway_service_mesh.policies.rate_limit import rate_limit_cells

HOUR, DAY, WEEK, MONTH = CalendarUnit
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Pacific/Apia", "America/St_Johns", "Africa/Cairo", "Asia/Kathmandu",
)  # fmt: skip


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def length_of(unit: CalendarUnit, zone: str, text: str) -> float:
    begins, ends = window_at(unit, ZoneInfo(zone), at(text, zone))
    return (ends - begins) / 3600


@pytest.mark.parametrize(
    ("unit", "zone", "moment", "begins", "ends"),
    [
        (HOUR, "UTC", "2026-03-04T05:06:07", "2026-03-04T05:00", "2026-03-04T06:00"),
        (HOUR, "Asia/Kolkata", "2026-03-04T05:06:07", "2026-03-04T05:00", "2026-03-04T06:00"),
        (DAY, "Europe/Berlin", "2026-03-04T00:00", "2026-03-04T00:00", "2026-03-05T00:00"),
        (WEEK, "UTC", "2026-03-01T23:59:59", "2026-02-23T00:00", "2026-03-02T00:00"),
        (MONTH, "America/New_York", "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        (MONTH, "UTC", "2026-12-31T23:59:59", "2026-12-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_where_a_window_begins(unit: CalendarUnit, zone: str, moment: str, begins: str, ends: str) -> None:
    assert window_at(unit, ZoneInfo(zone), at(moment, zone)) == (at(begins, zone), at(ends, zone))


def test_days_on_which_the_clocks_change() -> None:
    assert length_of(DAY, "Europe/Berlin", "2026-03-29T12:00") == 23
    assert length_of(DAY, "Europe/Berlin", "2026-10-25T12:00") == 25
    assert length_of(WEEK, "Europe/Berlin", "2026-10-25T12:00") == 7 * 24 + 1
    assert length_of(MONTH, "Europe/Berlin", "2026-03-10T12:00") == 31 * 24 - 1
    # São Paulo's clocks skipped midnight: the day began at one.
    assert length_of(DAY, "America/Sao_Paulo", "2018-11-04T12:00") == 23
    # Lord Howe Island goes back by half an hour at two: the hour from one is followed by half of one.
    assert length_of(HOUR, "Australia/Lord_Howe", "2026-04-05T01:10") == 1
    assert length_of(HOUR, "Australia/Lord_Howe", "2026-10-04T03:10") == 1
    # Samoa left out the 30th of December 2011.
    assert length_of(DAY, "Pacific/Apia", "2011-12-29T12:00") == 24
    assert length_of(DAY, "Pacific/Apia", "2011-12-31T12:00") == 24


@settings(max_examples=300, deadline=None)
@given(
    unit=st.sampled_from(CalendarUnit),
    name=st.sampled_from(ZONES),
    moment=st.integers(0, 2_100_000_000),
    part=st.floats(0, 1, exclude_max=True),
)
def test_each_moment_is_in_one_window_and_windows_follow_each_other(
    unit: CalendarUnit, name: str, moment: int, part: float
) -> None:
    zone = ZoneInfo(name)
    begins, ends, later = boundaries(unit, zone, moment + part)
    assert begins <= moment + part < ends < later
    inside = min(begins + part * (ends - begins), ends - 0.001)
    assert window_at(unit, zone, inside) == (begins, ends)
    assert window_at(unit, zone, begins) == (begins, ends)
    assert window_at(unit, zone, ends) == (ends, later)
    assert window_at(unit, zone, begins - 0.5)[1] == begins


@pytest.mark.parametrize("name", ZONES)
def test_the_years_of_all_changes_are_cut_without_gaps(name: str) -> None:
    zone, moment, last = ZoneInfo(name), at("2010-12-01T00:00"), at("2012-02-01T00:00")
    while moment < last:
        begins, ends = window_at(HOUR, zone, moment)
        assert begins == moment or moment == at("2010-12-01T00:00")
        local = datetime.fromtimestamp(ends - 1, UTC).astimezone(zone)
        assert 0 < ends - begins <= 3600 and begins <= moment < ends, local
        moment = ends


class Wall:
    """A clock on the wall that can be set."""

    def __init__(self, moment: float) -> None:
        self.ahead = moment

    def __call__(self, now: float) -> float:
        return now + self.ahead


def window(wall: Wall, burst: int = 3, *, keyed: bool = False, **more: object) -> CalendarWindow:
    keys = (RequestKey(KeyKind.CLIENT_ADDRESS),) if keyed else ()
    limit = RateLimit(
        "ex:l", 1.0, burst, keys, LimitAlgorithm.FIXED_WINDOW, 2592000.0, quota=True, calendar=MONTH,
        zone="Europe/Berlin", key_capacity=64, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return CalendarWindow(limit, CellStore.local(rate_limit_cells(limit)).view, 0, wall=wall)


@pytest.mark.parametrize("keyed", [False, True])
def test_a_month_admits_its_quota_and_the_next_begins_on_the_first(keyed: bool) -> None:
    wall = Wall(at("2026-03-31T23:00", "Europe/Berlin"))
    limit = window(wall, keyed=keyed)
    assert [limit.take(5.0, 7) for _ in range(3)] == [0.0] * 3
    assert limit.take(5.0, 7) == 3595.0
    assert (limit.remaining(5.0, 7), limit.reset_seconds(5.0, 7)) == (0, 3595.0)
    assert limit.take(3599.9, 7) > 0
    assert (limit.remaining(3600.0, 7), limit.reset_seconds(3600.0, 7)) == (3, 0.0)
    assert limit.take(3600.0, 7) == 0.0
    assert limit.reset_seconds(3600.0, 7) == 30 * 86400


def test_a_clock_that_is_set_back_grants_nothing() -> None:
    wall = Wall(at("2026-04-10T12:00"))
    limit = window(wall)
    for _ in range(3):
        assert limit.take(0.0) == 0.0
    wall.ahead = at("2026-03-31T12:00")  # the month before: what was counted counts on in the month it was counted in
    assert limit.take(0.0) > 0.0
    wall.ahead = at("2025-01-10T12:00")
    assert limit.take(0.0) == pytest.approx(21.5 * 86400 - 3600)
    wall.ahead = at("2025-02-10T12:00")
    assert limit.take(0.0) == 0.0


def test_what_is_charged_may_be_owed_up_to_a_bound_until_the_month_is_over() -> None:
    wall = Wall(at("2026-03-31T12:00", "Europe/Berlin"))
    limit = window(wall, 10, answer_cost_field="x-cost", maximum_cost=50)
    assert limit.take(0.0) == 0.0
    for _ in range(9):
        limit.charge(0.0, 0, 20)
    assert limit.remaining(0.0) == 0
    assert limit.take(0.0) == 43200.0
    assert limit.take(43200.0) == 0.0
    assert limit.remaining(43200.0) == 9
