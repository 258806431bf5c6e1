"""Health of an endpoint from its probes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import HealthCheck, Purpose
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.health import (
    HEALTH_CELLS,
    EndpointHealth,
    HealthState,
    read_failing,
    read_health,
)

UNKNOWN, HEALTHY, UNHEALTHY, STARTING = HealthState
READY, LIVE, START = Purpose


def health(successes: int = 2, failures: int = 3) -> EndpointHealth:
    check = HealthCheck("ex:check", success_threshold=successes, failure_threshold=failures)
    return EndpointHealth("ex:e", {READY: check}, CellStore.local(HEALTH_CELLS).view, 0)


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ("", UNKNOWN),
        ("+", UNKNOWN),
        ("++", HEALTHY),
        ("++--", HEALTHY),
        ("++--+--", HEALTHY),
        ("++---", UNHEALTHY),
        ("--", UNKNOWN),
        ("---", UNHEALTHY),
        ("---+", UNHEALTHY),
        ("---+-+", UNHEALTHY),
        ("---++", HEALTHY),
    ],
)
def test_thresholds_in_a_row(results: str, state: HealthState) -> None:
    machine = health()
    for result in results:
        machine.record(READY, result == "+", 1.0)
    assert machine.state is state


def test_a_change_is_told_once_and_dated() -> None:
    machine = health(successes=1)
    assert machine.record(READY, True, 5.0) is True
    assert machine.record(READY, True, 6.0) is False
    assert machine.since == 5.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(1, 4))
def test_the_last_whole_run_decides(results: list[bool], successes: int, failures: int) -> None:
    machine = health(successes, failures)
    expected = UNKNOWN
    run = 0
    for index, ok in enumerate(results):
        run = run + 1 if index and results[index - 1] == ok else 1
        if run >= (successes if ok else failures):
            expected = HEALTHY if ok else UNHEALTHY
        machine.record(READY, ok, float(index))
        assert machine.state is expected


def test_reset_and_status_line() -> None:
    view = CellStore.local(HEALTH_CELLS).view
    machine = EndpointHealth("ex:e", {READY: HealthCheck("ex:check")}, view, 0)
    for _ in range(3):
        machine.record(READY, False, 1.0)
    assert repr(machine) == "<EndpointHealth ex:e UNHEALTHY readiness=-3>"
    assert (read_health(view, 0), read_failing(view, 0)) == (UNHEALTHY, READY)
    machine.reset()
    assert repr(machine) == "<EndpointHealth ex:e UNKNOWN readiness=+0>"
    assert read_failing(view, 0) is None


class Probed:
    """An endpoint with probes of these purposes, one result enough for each verdict; the last cell is the epoch."""

    def __init__(self, *purposes: Purpose) -> None:
        self.view = CellStore.local(HEALTH_CELLS + 8).view
        checks = {purpose: HealthCheck("ex:check", failure_threshold=1) for purpose in purposes}
        self.machine = EndpointHealth("ex:e", checks, self.view, 0, epoch=HEALTH_CELLS)

    def after(self, purpose: Purpose, ok: bool) -> HealthState:
        self.machine.record(purpose, ok, 1.0)
        return self.machine.state

    def asked(self) -> set[Purpose]:
        return {purpose for purpose in Purpose if self.machine.asks(purpose)}


def test_a_startup_probe_gates_the_others() -> None:
    probed = Probed(READY, LIVE, START)
    assert probed.machine.begin(0.0) is True
    assert (probed.machine.state, probed.asked()) == (STARTING, {START})
    assert probed.after(START, False) is UNHEALTHY
    assert read_failing(probed.view, 0) is START
    assert probed.after(START, True) is UNKNOWN
    assert probed.asked() == {READY, LIVE}
    assert probed.after(READY, True) is HEALTHY


def test_dead_is_dead_whatever_readiness_says_and_has_to_start_again() -> None:
    probed = Probed(READY, LIVE, START)
    for purpose in (START, LIVE, READY):
        probed.after(purpose, True)
    assert probed.after(LIVE, False) is UNHEALTHY
    assert (read_failing(probed.view, 0), probed.asked()) == (LIVE, {START})
    assert probed.after(READY, True) is UNHEALTHY
    assert probed.after(START, True) is HEALTHY
    assert probed.asked() == {READY, LIVE}


def test_without_a_startup_probe_liveness_comes_back_by_itself() -> None:
    probed = Probed(READY, LIVE)
    probed.after(READY, True)
    assert probed.after(LIVE, False) is UNHEALTHY
    assert probed.after(LIVE, True) is HEALTHY


@pytest.mark.parametrize("purpose", [LIVE, START])
def test_a_probe_alone_decides(purpose: Purpose) -> None:
    probed = Probed(purpose)
    probed.machine.begin(0.0)
    assert probed.machine.state is (STARTING if purpose is START else UNKNOWN)
    assert probed.after(purpose, True) is HEALTHY


def test_each_change_moves_the_epoch_on() -> None:
    probed = Probed(READY)
    for ok in (True, True, False, False, True):
        probed.after(READY, ok)
    assert probed.view[HEALTH_CELLS] == 3
