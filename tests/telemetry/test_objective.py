"""Burn rates: the windows, the states, and what a latency target counts."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.telemetry.live_rate import Series
from api_gateway_service_mesh.telemetry.objective import OBJECTIVE_TIERS, Burn, ObjectiveState, burn_of, later_than

MONTH = 30 * 86400.0
HOUR = 3600.0


def burnt(*stretches: tuple[float, float], target: float = 0.999) -> Burn:
    """After ``(seconds, share of misses)`` one after the other, at ten requests a second."""
    series = Series(OBJECTIVE_TIERS, 0.0, (0.0, 0.0), 0.0)
    now = total = missed = 0.0
    for seconds, share in stretches:
        end = now + seconds
        while now < end:
            now += 5.0
            total += 50.0
            missed += 50.0 * share
            series.add(now, (total, missed))
    return burn_of(series, now, target, MONTH)


@pytest.mark.parametrize(
    ("stretches", "state"),
    [
        (((6 * HOUR, 0.0),), ObjectiveState.MET),
        (((6 * HOUR, 0.001),), ObjectiveState.MET),  # just as much as is allowed
        (((6 * HOUR, 0.0), (HOUR, 0.016)), ObjectiveState.FAST_BURN),
        (((6 * HOUR, 0.0), (HOUR, 0.016), (600.0, 0.0)), ObjectiveState.MET),  # it is over: nobody is called
        (((6 * HOUR, 0.007),), ObjectiveState.SLOW_BURN),
        (((6 * HOUR, 0.007), (2400.0, 0.0)), ObjectiveState.MET),
        (((6 * HOUR, 0.0), (60.0, 0.05)), ObjectiveState.MET),  # a minute is a thirtieth of an hour's budget
    ],
)
def test_both_windows_must_burn(stretches: tuple[tuple[float, float], ...], state: ObjectiveState) -> None:
    assert burnt(*stretches).state is state


def test_a_rate_of_one_lasts_the_window() -> None:
    burn = burnt((6 * HOUR, 0.001))
    assert burn.rates == pytest.approx(dict.fromkeys((300.0, 1800.0, 3600.0, 21600.0), 1.0))
    assert burn.lasts_seconds == pytest.approx(MONTH)
    assert burnt((6 * HOUR, 0.0)).lasts_seconds is None


def test_few_requests_call_nobody() -> None:
    series = Series(OBJECTIVE_TIERS, 0.0, (0.0, 0.0), 0.0)
    series.add(5.0, (9.0, 9.0))
    assert burn_of(series, 5.0, 0.999, MONTH).state is ObjectiveState.MET
    series.add(10.0, (10.0, 10.0))
    assert burn_of(series, 10.0, 0.999, MONTH).state is ObjectiveState.FAST_BURN


def test_a_window_without_requests_has_no_rate() -> None:
    series = Series(OBJECTIVE_TIERS, 0.0, (0.0, 0.0), 0.0)
    assert burn_of(series, 60.0, 0.99, MONTH) == Burn({}, ObjectiveState.MET, None)


@pytest.mark.parametrize(("seconds", "late"), [(0.1, 30.0), (0.55, 20.0), (1.0, 10.0), (5.0, 10.0), (0.05, 35.0)])
def test_what_is_later_than_a_threshold(seconds: float, late: float) -> None:
    assert later_than((0.1, 1.0), (10, 20, 10), seconds) == pytest.approx(late)
