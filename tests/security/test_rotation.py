"""When certificates are renewed, on a clock moved by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.security.rotation import LAST_RETRY_SECONDS, renewal_due, retry_delay

DAY = 86_400.0
lives = st.floats(60.0, 3650 * DAY)
begins = st.floats(0.0, 4e9)
draws = st.floats(0.0, 1.0, exclude_max=True)
periods = st.none() | st.floats(1.0, 4000 * DAY)


@given(begins, lives, periods, draws)
def test_renewal_leaves_a_third_of_the_life(begin: float, life: float, period: float | None, draw: float) -> None:
    due = renewal_due(begin, begin + life, period, draw)
    slack = 1e-6 * (begin + life)
    assert begin <= due <= begin + life * 2 / 3 + slack
    if period is not None:
        assert due <= begin + period + slack
    assert due >= begin + 0.9 * min(life * 2 / 3, period if period is not None else life) - slack


@given(begins, lives, periods, draws, draws)
def test_a_greater_draw_is_never_later(begin: float, life: float, period: float | None, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert renewal_due(begin, begin + life, period, high) <= renewal_due(begin, begin + life, period, low)


def test_ninety_days_are_renewed_after_sixty_or_sooner() -> None:
    assert round(renewal_due(0, 90 * DAY, None, 0.0)) == 60 * DAY
    assert renewal_due(0, 90 * DAY, 30 * DAY, 0.0) == 30 * DAY
    assert round(renewal_due(0, 90 * DAY, 80 * DAY, 0.0)) == 60 * DAY
    assert renewal_due(5, 5, None, 0.5) == 5


@given(st.integers(1, 10_000), st.floats(-1e9, 1e9), draws, st.none() | st.floats(0, 1e6))
def test_tries_are_bounded(failures: int, left: float, draw: float, wanted: float | None) -> None:
    delay = retry_delay(failures, left, draw, wanted)
    assert 0.5 <= delay <= max(LAST_RETRY_SECONDS, min(wanted or 0.0, DAY))
    if wanted is not None:
        assert delay >= min(wanted, DAY)


@given(st.floats(100.0, 1e8), draws)
def test_there_are_tries_left_before_the_end(left: float, draw: float) -> None:
    now, failures = 0.0, 0
    while now < left * 0.9 and failures < 40:
        failures += 1
        now += retry_delay(failures, left - now, draw)
    assert failures >= 10


def test_waiting_doubles_to_an_hour() -> None:
    waits = [retry_delay(failures, 1e9, 1.0) for failures in range(1, 9)]
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
