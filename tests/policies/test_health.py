"""Health of an endpoint from its probes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import HealthCheck
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.health import EndpointHealth, HealthState, read_health

UNKNOWN, HEALTHY, UNHEALTHY = HealthState


def health(successes: int = 2, failures: int = 3) -> EndpointHealth:
    check = HealthCheck("ex:check", success_threshold=successes, failure_threshold=failures)
    return EndpointHealth("ex:e", check, CellStore.local(8).view, 0)


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
        machine.record(result == "+", 1.0)
    assert machine.state is state


def test_a_change_is_told_once_and_dated() -> None:
    machine = health(successes=1)
    assert machine.record(True, 5.0) is True
    assert machine.record(True, 6.0) is False
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
        machine.record(ok, float(index))
        assert machine.state is expected


def test_reset_and_status_line() -> None:
    view = CellStore.local(8).view
    machine = EndpointHealth("ex:e", HealthCheck("ex:check"), view, 0)
    for _ in range(3):
        machine.record(False, 1.0)
    assert repr(machine) == "<EndpointHealth ex:e UNHEALTHY successes=0/1 failures=3/3>"
    assert read_health(view, 0) is UNHEALTHY
    machine.reset()
    assert repr(machine) == "<EndpointHealth ex:e UNKNOWN successes=0/1 failures=0/3>"
