"""Progressive delivery: the state machine, with a clock and counters that only the test moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Canary, CanaryStep, Endpoint, Upstream
from api_gateway_service_mesh.policies.canary import (
    CANARY_CELLS,
    CanaryMachine,
    CanaryOutcome,
    CanaryPhase,
    Observation,
    weight_cell,
)
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.share import SHARE_CELLS, ShareCounters, read_share

PLAN = Canary(
    "urn:canary",
    (CanaryStep("urn:1", 10, 60.0), CanaryStep("urn:2", 50, 60.0)),
    minimum_requests=20,
    max_error_increase=0.05,
    max_latency_ratio=2.0,
)
SERVICE = Upstream("urn:new", "new", (Endpoint("urn:e", "new", 80),))


class Trial:
    """A canary, what both sides counted, and the clock."""

    def __init__(self, plan: Canary = PLAN) -> None:
        self.store = CellStore.local(2 * SHARE_CELLS + CANARY_CELLS)
        view = self.store.view
        self.canary, self.stable = ShareCounters(view, 0), ShareCounters(view, SHARE_CELLS)
        self.base = 2 * SHARE_CELLS
        self.now = 1000.0
        self.use(plan)

    def use(self, plan: Canary, service: Upstream = SERVICE) -> None:
        self.machine = CanaryMachine(plan, service, self.store.view, self.base)

    def serve(self, canary: int = 0, stable: int = 0, *, failing: int = 0, seconds: float = 0.01) -> None:
        for number in range(canary):
            self.canary.observe(500 if number < failing else 200, seconds)
        for _ in range(stable):
            self.stable.observe(200, 0.01)

    def look(self, later: float = 0.5) -> CanaryOutcome | None:
        self.now += later
        view = self.store.view
        seen = Observation(read_share(view, 0, 1), read_share(view, SHARE_CELLS, 1))
        decision = self.machine.advance(seen, self.now)
        self.decision = decision
        return decision.outcome if decision is not None else None

    @property
    def weight(self) -> float:
        return self.store.view[weight_cell(self.base)]


def test_a_canary_that_does_well_is_promoted_step_by_step() -> None:
    trial = Trial()
    assert trial.weight == 0.0
    assert (trial.look(), trial.weight) == (CanaryOutcome.STARTED, 10.0)
    trial.serve(30, 300)
    assert trial.look() is None  # its time is not over
    assert (trial.look(60), trial.weight) == (CanaryOutcome.ADVANCED, 50.0)
    assert trial.look(60) is None  # what was served in the step before does not count
    trial.serve(30, 30)
    assert (trial.look(), trial.weight) == (CanaryOutcome.PROMOTED, 100.0)
    trial.serve(300, failing=300)
    assert trial.look(600) is None
    assert trial.machine.state.phase is CanaryPhase.PROMOTED


def test_errors_take_it_back_at_once_and_for_good() -> None:
    trial = Trial()
    trial.look()
    trial.serve(19, 300, failing=19)
    assert trial.look() is None  # too few to go by
    trial.serve(1, failing=1)
    assert (trial.look(), trial.weight) == (CanaryOutcome.ROLLED_BACK, 0.0)
    assert trial.decision is not None
    assert (trial.decision.canary.requests, trial.decision.stable.requests) == (20, 300)
    assert trial.decision.reason == "error rate 1 is more than 0.05 above the other side's 0"
    trial.serve(500, 500)
    assert trial.look(600) is None
    assert trial.weight == 0.0


def test_slowness_is_compared_at_the_percentile() -> None:
    trial = Trial()
    trial.look()
    trial.serve(95, 300)
    trial.serve(15, seconds=0.05)
    assert trial.look() is CanaryOutcome.ROLLED_BACK
    assert trial.decision is not None
    assert "p95 latency" in trial.decision.reason
    assert trial.decision.canary_latency > 2 * trial.decision.stable_latency > 0


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (replace(PLAN, max_error_increase=None, max_error_rate=0.1), "error rate 0.5 is above 0.1"),
        (replace(PLAN, max_latency_seconds=0.02), "is above 0.02 s"),
    ],
)
def test_bounds_of_its_own_need_no_other_side(plan: Canary, reason: str) -> None:
    trial = Trial(plan)
    trial.look()
    trial.serve(20, failing=10, seconds=0.04)
    assert trial.look() is CanaryOutcome.ROLLED_BACK
    assert trial.decision is not None
    assert reason in trial.decision.reason


def test_without_enough_to_compare_with_it_stays_and_the_time_before_may_serve() -> None:
    trial = Trial()
    trial.look()
    trial.serve(30, 10)
    assert trial.look(600) is None
    trial.serve(0, 10)
    assert trial.look() is CanaryOutcome.ADVANCED
    trial.serve(30, 0)  # nothing of the other side in this step; since the beginning there is
    assert trial.look(60) is CanaryOutcome.PROMOTED


def test_a_pause_keeps_the_share_and_a_step_begins_anew_after_it() -> None:
    trial = Trial()
    trial.look()
    trial.use(replace(PLAN, paused=True))
    assert (trial.look(), trial.weight) == (CanaryOutcome.PAUSED, 10.0)
    trial.serve(100, 100, failing=100)
    assert trial.look(600) is None
    trial.use(PLAN)
    assert (trial.look(), trial.weight) == (CanaryOutcome.RESUMED, 10.0)
    assert trial.look(600) is None  # the errors of the pause are not held against it, nor its time for it


def test_one_that_begins_paused_gets_nothing() -> None:
    trial = Trial(replace(PLAN, paused=True))
    assert trial.look() is None
    assert trial.weight == 0.0
    trial.use(PLAN)
    assert (trial.look(), trial.weight) == (CanaryOutcome.RESUMED, 10.0)


def test_the_cells_are_the_state_and_only_another_attempt_begins_anew() -> None:
    trial = Trial()
    trial.look()
    trial.serve(20, 20, failing=20)
    trial.look()
    trial.use(replace(PLAN, minimum_requests=5))  # as after a reload, or in another process
    assert trial.machine.state.phase is CanaryPhase.ROLLED_BACK
    assert trial.look() is None
    trial.use(replace(PLAN, rollout="second"))
    assert (trial.look(), trial.weight) == (CanaryOutcome.STARTED, 10.0)
    trial.use(replace(PLAN, rollout="second"), replace(SERVICE, endpoints=(Endpoint("urn:e", "newer", 80),)))
    assert trial.look() is CanaryOutcome.STARTED


def test_steps_may_change_under_way() -> None:
    trial = Trial()
    trial.look()
    trial.use(replace(PLAN, steps=(CanaryStep("urn:1", 5, 60.0),)))
    assert trial.look() is None
    assert trial.weight == 5.0
    assert repr(trial.machine) == "<CanaryMachine urn:canary PROGRESSING step=1 weight=5>"


Step = tuple[int, int, int, float, bool]
LOOKS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100), st.floats(0.0, 90.0), st.booleans()),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(st.sets(st.integers(1, 100), min_size=1, max_size=5), LOOKS)
def test_whatever_happens(weights: set[int], looks: list[Step]) -> None:
    """Weights come from the plan, rise by one step at a time, fall only to 0; ends are ends; the evidence bears out the
    decision."""
    steps = tuple(CanaryStep(f"urn:{weight}", weight, 30.0) for weight in sorted(weights))
    plan = replace(PLAN, steps=steps, max_error_rate=0.2)
    trial = Trial(plan)
    trial.look()
    allowed = [float(step.weight) for step in steps]
    for canary, stable, failing, later, paused in looks:
        trial.use(replace(plan, paused=paused))
        before, phase = trial.weight, trial.machine.state.phase
        trial.serve(canary, stable, failing=canary * failing // 100)
        outcome, decision = trial.look(later), trial.decision
        if phase in (CanaryPhase.PROMOTED, CanaryPhase.ROLLED_BACK):
            assert (outcome, trial.weight, trial.machine.state.phase) == (None, before, phase)
        elif outcome in (CanaryOutcome.ADVANCED, CanaryOutcome.PROMOTED):
            assert decision is not None
            assert decision.canary.requests >= plan.minimum_requests
            assert decision.canary.error_rate <= 0.2
            following = [*allowed, 100.0][allowed.index(before) + 1]
            assert trial.weight == following
        elif outcome is CanaryOutcome.ROLLED_BACK:
            assert decision is not None
            assert decision.canary.requests >= plan.minimum_requests
            assert decision.canary.errors > 0
            assert trial.weight == 0.0
        else:
            assert trial.weight == before
