"""Circuit breaker: its table, its probes, and a state machine driven by Hypothesis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api_gateway_service_mesh.model import (
    Breaker,
    BreakerScope,
    Canary,
    CanaryStep,
    ConditionSource,
    Endpoint,
    Mesh,
    Mirror,
    PathKind,
    PathMatch,
    RequestCondition,
    Retry,
    Route,
    RouteMatch,
    SplitTarget,
    Upstream,
)
from api_gateway_service_mesh.policies.breaker import TRANSITIONS, BreakerState, CircuitBreaker, Event, breaker_units
from api_gateway_service_mesh.policies.budget import budgeted
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.lock import SharedLock
from tests.support.clock import Clock
from tests.support.processes import in_processes

CLOSED, OPEN, HALF_OPEN = BreakerState


def breaker(threshold: int = 3, open_seconds: float = 10.0, probes: int = 2) -> CircuitBreaker:
    return CircuitBreaker(Breaker("ex:breaker", threshold, open_seconds, probes), CellStore.local(64).view, 0)


def trip(machine: CircuitBreaker, clock: Clock, failures: int = 3) -> None:
    for _ in range(failures):
        machine.record(machine.admit(clock()), False, clock())


def test_the_table_is_the_whole_story() -> None:
    assert TRANSITIONS == {
        (CLOSED, Event.TRIPPED): OPEN,
        (OPEN, Event.COOLED): HALF_OPEN,
        (HALF_OPEN, Event.PROBE_FAILED): OPEN,
        (HALF_OPEN, Event.PROBES_PASSED): CLOSED,
        (HALF_OPEN, Event.LEASE_LOST): HALF_OPEN,
    }


def test_failures_in_a_row_open_it() -> None:
    clock, machine = Clock(), breaker()
    trip(machine, clock, 2)
    machine.record(machine.admit(clock()), True, clock())
    trip(machine, clock, 2)
    assert machine.state(clock()) is CLOSED, "a success begins the row anew"
    trip(machine, clock, 1)
    assert machine.state(clock()) is OPEN
    assert machine.opened_total == 1


def rated(**more: object) -> CircuitBreaker:
    config = replace(Breaker("ex:breaker", failure_threshold=1000, open_seconds=10.0), **more)  # type: ignore[arg-type]
    return CircuitBreaker(config, CellStore.local(64).view, 0)


def tell(machine: CircuitBreaker, clock: Clock, ok: bool, seconds: float = 0.0) -> None:
    machine.record(machine.admit(clock()), ok, clock(), seconds)


def test_a_rate_of_failures_opens_it_once_there_are_enough() -> None:
    clock, machine = Clock(), rated(failure_rate=50.0, minimum_requests=10)
    for turn in range(9):
        tell(machine, clock, turn % 2 == 0)
    assert machine.state(clock()) is CLOSED, "nine are too few"
    assert machine.window(clock()) == (9, 4, 0)
    tell(machine, clock, False)
    assert machine.state(clock()) is OPEN
    assert machine.window(clock()) == (0, 0, 0), "what tripped it is not held against it again"


def test_what_is_older_than_the_window_does_not_count() -> None:
    clock, machine = Clock(), rated(failure_rate=50.0, minimum_requests=4, window_seconds=10.0)
    for _ in range(3):
        tell(machine, clock, False)
    clock.advance(10.0)
    assert machine.window(clock()) == (0, 0, 0)
    tell(machine, clock, False)
    assert machine.state(clock()) is CLOSED


def test_slow_answers_open_it() -> None:
    clock, machine = Clock(), rated(slow_seconds=1.0, slow_rate=60.0, minimum_requests=5)
    for seconds in (0.5, 2.0, 1.0, 2.0):
        tell(machine, clock, True, seconds)
    assert machine.state(clock()) is CLOSED
    assert machine.window(clock()) == (4, 0, 2)
    tell(machine, clock, True, 1.1)
    assert machine.state(clock()) is OPEN
    clock.advance(10.0)
    tell(machine, clock, True, 1.5)
    assert machine.state(clock()) is OPEN, "a slow probe failed"
    clock.advance(10.0)
    tell(machine, clock, True, 0.5)
    assert machine.state(clock()) is CLOSED


def test_the_open_time_grows_and_begins_anew() -> None:
    clock, machine = Clock(), rated(failure_threshold=1, open_multiplier=2.0, max_open_seconds=35.0)
    tell(machine, clock, False)
    for seconds in (10.0, 20.0, 35.0, 35.0):
        assert machine.retry_after_seconds(clock()) == pytest.approx(seconds)
        clock.advance(seconds)
        tell(machine, clock, False)
    clock.advance(35.0)
    tell(machine, clock, True)
    assert machine.state(clock()) is CLOSED
    clock.advance(34.0)
    tell(machine, clock, False)
    assert machine.retry_after_seconds(clock()) == pytest.approx(35.0), "closed for less than it was open"
    clock.advance(35.0)
    tell(machine, clock, True)
    clock.advance(35.0)
    tell(machine, clock, False)
    assert machine.retry_after_seconds(clock()) == pytest.approx(10.0)


def test_statuses_that_fail() -> None:
    assert [rated().fails(status) for status in (200, 429, 499, 500, 599)] == [False, False, False, True, True]
    chosen = rated(failure_statuses=(429, 503))
    assert [chosen.fails(status) for status in (200, 429, 500, 503)] == [False, True, False, True]


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 3.0)), max_size=200),
    st.integers(1, 30),
    st.integers(1, 100),
)
def test_a_window_says_what_a_list_says(told: list[tuple[bool, float]], minimum: int, rate: int) -> None:
    """It opens exactly when the requests of the live pieces, counted one by one, are too many failures."""
    clock, machine = Clock(), rated(failure_rate=float(rate), minimum_requests=minimum, window_seconds=10.0)
    said: list[tuple[float, bool]] = []
    for ok, pause in told:
        clock.advance(pause)
        tell(machine, clock, ok)
        said.append((clock() // 1.0, ok))
        live = [fine for piece, fine in said if piece > clock() // 1.0 - 10]
        failed = live.count(False)
        opens = len(live) >= minimum and failed * 100 >= rate * len(live)
        assert (machine.state(clock()) is OPEN) == opens
        if opens:
            return
        assert machine.window(clock()) == (len(live), failed, 0)


def test_the_states_that_a_mesh_needs() -> None:
    one = Endpoint("ex:one", "h", 1)
    other = Endpoint("ex:other", "h", 2)
    match = RouteMatch(PathMatch(PathKind.EXACT, "/"))
    shared, each, every = (Breaker(f"ex:{scope}", scope=scope) for scope in BreakerScope)
    routes = tuple(
        Route(f"ex:route{number}", "route", match, "ex:service", breaker=breaker)
        for number, breaker in enumerate((shared, shared, each, every, None))
    )
    mesh = Mesh("ex:gateway", "gateway", routes, (Upstream("ex:service", "service", (one, other)),))
    assert [(unit.breaker.iri, unit.subject, unit.key[1]) for unit in breaker_units(mesh)] == [
        ("ex:route", "ex:route", "ex:route"),
        ("ex:service", "ex:service", "ex:service ex:service"),
        ("ex:instance", "ex:one", "ex:instance ex:one"),
        ("ex:instance", "ex:other", "ex:instance ex:other"),
    ]


def test_every_service_that_a_split_may_choose_has_its_states() -> None:
    splits = (
        SplitTarget("ex:steered", "ex:a", 0, steered_by=(RequestCondition("ex:h", ConditionSource.HEADER, "x"),)),
        SplitTarget("ex:stable", "ex:b", 100),
        SplitTarget("ex:canary", "ex:c", 0, canary=Canary("ex:canary", (CanaryStep("ex:step", 5, 60.0),))),
        SplitTarget("ex:green", "ex:d", 0, active=False),
    )
    services = tuple(
        Upstream(f"ex:{name}", name, (Endpoint(f"ex:{name}1", "h", 1),)) for name in ("a", "b", "c", "d", "copies")
    )
    for scope, mark in ((BreakerScope.SERVICE, ""), (BreakerScope.INSTANCE, "1")):
        made = Route(
            "ex:r",
            "r",
            RouteMatch(PathMatch(PathKind.EXACT, "/")),
            "ex:unused",
            splits,
            breaker=Breaker("ex:breaker", scope=scope),
            retry=Retry("ex:retry"),
            mirrors=(Mirror("ex:mirror", "ex:copies"),),
        )
        mesh = Mesh("ex:gateway", "gateway", (made,), services)
        assert [unit.subject for unit in breaker_units(mesh)] == [f"ex:{name}{mark}" for name in "abcd"]
        assert list(budgeted(mesh)) == [("ex:retry", f"ex:{name}") for name in "abcd"]


def test_open_admits_nothing_before_its_time() -> None:
    clock, machine = Clock(), breaker()
    trip(machine, clock)
    assert not machine.admit(clock())
    assert machine.retry_after_seconds(clock()) == 10.0
    clock.advance(9.999)
    assert not machine.admit(clock())
    clock.advance(0.001)
    assert machine.state(clock()) is HALF_OPEN
    assert machine.retry_after_seconds(clock()) == 0.0
    assert machine.admit(clock())


def test_all_probes_must_succeed_to_close_it() -> None:
    clock, machine = Clock(), breaker(probes=2)
    trip(machine, clock)
    clock.advance(10.0)
    first, second = machine.admit(clock()), machine.admit(clock())
    assert first
    assert second
    assert not machine.admit(clock()), "two probes and no more"
    machine.record(first, True, clock())
    assert machine.state(clock()) is HALF_OPEN
    assert not machine.admit(clock()), "a probe that passed does not free its place"
    machine.record(second, True, clock())
    assert machine.state(clock()) is CLOSED


def test_one_failed_probe_opens_it_for_the_whole_time_again() -> None:
    clock, machine = Clock(), breaker(probes=2)
    trip(machine, clock)
    clock.advance(10.0)
    first, second = machine.admit(clock()), machine.admit(clock())
    machine.record(first, False, clock())
    assert machine.state(clock()) is OPEN
    assert machine.opened_total == 2
    machine.record(second, True, clock())
    assert machine.state(clock()) is OPEN, "the other probe's result came too late to matter"
    clock.advance(9.9)
    assert not machine.admit(clock())


def test_results_from_before_it_opened_change_nothing() -> None:
    clock, machine = Clock(), breaker(probes=1)
    slow_failure, slow_success = machine.admit(clock()), machine.admit(clock())
    trip(machine, clock)
    machine.record(slow_success, True, clock())
    assert machine.state(clock()) is OPEN
    clock.advance(10.0)
    probe = machine.admit(clock())
    machine.record(slow_failure, False, clock())
    machine.record(slow_success, True, clock())
    assert machine.state(clock()) is HALF_OPEN
    machine.record(probe, True, clock())
    assert machine.state(clock()) is CLOSED
    for _ in range(5):
        machine.record(slow_failure, False, clock())
    assert machine.failures == 0


def test_a_cancelled_probe_gives_its_place_back() -> None:
    clock, machine = Clock(), breaker(probes=1)
    trip(machine, clock)
    clock.advance(10.0)
    probe = machine.admit(clock())
    assert not machine.admit(clock())
    machine.cancel(probe)
    again = machine.admit(clock())
    assert again
    machine.record(again, True, clock())
    assert machine.state(clock()) is CLOSED
    machine.cancel(machine.admit(clock()))
    assert machine.failures == 0


def test_a_probe_that_is_never_heard_of_again_does_not_wedge_it() -> None:
    clock, machine = Clock(), breaker(probes=1)
    trip(machine, clock)
    clock.advance(10.0)
    lost = machine.admit(clock())
    clock.advance(59.0)
    assert not machine.admit(clock())
    clock.advance(1.0)
    probe = machine.admit(clock())
    assert probe
    assert not machine.admit(clock())
    machine.record(lost, False, clock())
    assert machine.state(clock()) is HALF_OPEN, "its result belongs to a round that is over"
    machine.record(probe, True, clock())
    assert machine.state(clock()) is CLOSED


def test_two_holders_of_the_cells_are_one_breaker() -> None:
    clock, view = Clock(), CellStore.local(64).view
    config = Breaker("ex:breaker", 2, 10.0, 1)
    here, there = CircuitBreaker(config, view, 0), CircuitBreaker(config, view, 0)
    trip(here, clock, 1)
    trip(there, clock, 1)
    assert here.state(clock()) is OPEN
    clock.advance(10.0)
    assert here.admit(clock())
    assert not there.admit(clock())


def test_processes_share_one_row_of_failures_and_one_probe() -> None:
    store = CellStore.shared(64)
    machine = CircuitBreaker(Breaker("ex:breaker", 3000, 10.0, 1), store.view, 0, SharedLock.create())

    def fail(worker: int) -> None:
        for _ in range(1000):
            machine.record(machine.admit(1.0), False, 1.0)

    def probe(worker: int) -> None:
        store.view[7 + worker] = float(sum(bool(machine.admit(20.0)) for _ in range(1000)))

    in_processes(fail, range(1, 4))
    assert machine.state(1.0) is OPEN
    assert machine.opened_total == 1
    in_processes(probe, range(1, 4))
    assert sum(store.view[8:11].tolist()) == 1.0
    store.close()


class BreakerMachine(RuleBasedStateMachine):
    """Any order of requests, results, cancellations and time, checked against the promises."""

    THRESHOLD, OPEN_SECONDS, PROBES = 3, 10.0, 2

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(1000.0)
        self.machine = breaker(self.THRESHOLD, self.OPEN_SECONDS, self.PROBES)
        self.tickets: list[float] = []
        self.opened_at = 0.0
        self.opened = 0

    @rule()
    def request(self) -> None:
        before = self.machine.state(self.clock())
        ticket = self.machine.admit(self.clock())
        if before is CLOSED:
            assert ticket
        if before is OPEN:
            assert not ticket
        if ticket:
            self.tickets.append(ticket)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), ok=st.booleans())
    def result(self, data: st.DataObject, ok: bool) -> None:
        ticket = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        self.machine.record(ticket, ok, self.clock())
        self._note_opening()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def cancelled(self, data: st.DataObject) -> None:
        before = self.machine.state(self.clock())
        self.machine.cancel(self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1))))
        assert self.machine.state(self.clock()) is before

    @rule()
    def failures_in_a_row(self) -> None:
        for _ in range(self.THRESHOLD):
            ticket = self.machine.admit(self.clock())
            if ticket:
                self.machine.record(ticket, False, self.clock())
                self._note_opening()

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 9.999, 10.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def _note_opening(self) -> None:
        if self.machine.opened_total > self.opened:
            self.opened = self.machine.opened_total
            self.opened_at = self.clock()

    @invariant()
    def open_keeps_its_time(self) -> None:
        if self.opened and self.clock() < self.opened_at + self.OPEN_SECONDS:
            assert self.machine.state(self.clock()) is OPEN

    @invariant()
    def probes_of_one_round_are_bounded(self) -> None:
        rounds = [ticket for ticket in self.tickets if ticket % 4.0 == 1.0 + HALF_OPEN]
        assert all(rounds.count(ticket) <= self.PROBES for ticket in rounds)

    @invariant()
    def it_always_comes_back(self) -> None:
        clone = CellStore.local(64)
        clone.view[0:8] = self.machine._view[0:8]
        machine = CircuitBreaker(Breaker("ex:breaker", 3, self.OPEN_SECONDS, self.PROBES), clone.view, 0)
        later = self.clock() + 1000.0
        for _ in range(2 * self.PROBES):
            ticket = machine.admit(later)
            if ticket:
                machine.record(ticket, True, later)
            later += 100.0
        assert machine.state(later) is CLOSED


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("probes", [1, 2, 5])
def test_status_lines(probes: int) -> None:
    clock, machine = Clock(1000.0), breaker(probes=probes)
    trip(machine, clock, 1)
    assert repr(machine) == "<CircuitBreaker ex:breaker CLOSED failures=1/3 opened=0>"
    trip(machine, clock, 2)
    assert repr(machine) == "<CircuitBreaker ex:breaker OPEN until=1010.000 opened=1>"
    machine.admit(clock.advance(10.0))
    assert repr(machine) == f"<CircuitBreaker ex:breaker HALF_OPEN probes=1/{probes} passed=0 opened=1>"
