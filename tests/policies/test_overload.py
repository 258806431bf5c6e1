"""The overload guard's level: up under pressure, down in calm, held in between."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import RequestPriority
from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.overload import BANDS, CALM, OVERLOAD_CELLS, TOP, Overload, read_overload


def guard() -> tuple[memoryview, Overload]:
    view = CellStore.local(OVERLOAD_CELLS).view
    return view, Overload(view, 0)


def test_it_rises_holds_and_sinks() -> None:
    _, machine = guard()
    machine.step(0.99, 1.0)
    assert machine.level == 0.0
    machine.step(1.0, 0.5)
    assert machine.level == 0.5
    machine.step(0.9, 60.0)
    assert machine.level == 0.5, "between calm and too much nothing changes"
    machine.step(CALM - 0.01, 0.5)
    assert machine.level == 0.25
    machine.step(0.0, 60.0)
    assert machine.level == 0.0


def test_the_lowest_goes_first_and_what_is_critical_never() -> None:
    _, machine = guard()
    machine.step(1.0, 1.3)
    rng = random.Random(1)
    shed = {name: sum(machine.sheds(band, rng.random()) for _ in range(1000)) for name, band in BANDS.items()}
    assert shed[RequestPriority.LOW] == 1000
    assert 250 < shed[RequestPriority.NORMAL] < 350
    assert shed[RequestPriority.HIGH] == shed[RequestPriority.CRITICAL] == 0
    machine.step(9.0, 60.0)
    assert not any(machine.sheds(BANDS[RequestPriority.CRITICAL], rng.random()) for _ in range(1000))


def test_when_shedding_does_not_help_the_door_is_shut_until_it_is_a_band_better() -> None:
    view, machine = guard()
    machine.step(5.0, 60.0)
    assert (machine.level, machine.accepting) == (TOP, False)
    assert read_overload(view, 0, 1)[:2] == ("SHUT", 5.0)
    machine.step(0.9, 60.0)
    machine.step(0.5, 1.0)
    assert not machine.accepting
    machine.step(0.5, 1.0)
    assert machine.accepting
    assert read_overload(view, 0, 1)[0] == "SHEDDING"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 5)), max_size=60))
def test_the_level_stays_in_its_bounds_and_calm_always_ends_it(steps: list[tuple[float, float]]) -> None:
    view, machine = guard()
    for pressure, seconds in steps:
        machine.step(pressure, seconds)
        assert 0.0 <= machine.level <= TOP
    machine.step(0.0, 2 * TOP)
    assert machine.level == 0.0
    assert machine.accepting
    assert read_overload(view, 0, 1)[0] == "CALM"


def test_it_settles_where_the_rest_can_be_carried() -> None:
    """Load twice what can be carried, evenly over the priorities that may be shed: about half goes."""
    _, machine = guard()
    shed = 0.0
    seen = []
    for _ in range(400):
        machine.step(2.0 * (1.0 - shed), 0.05)
        shed = machine.level / TOP
        seen.append(2.0 * (1.0 - shed))
    assert all(0.7 < carried <= 1.05 for carried in seen[200:])
