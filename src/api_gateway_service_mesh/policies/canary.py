"""Progressive delivery: when a canary gets more, keeps what it has, or loses it.

`advance` is pure: plan, state, observations and clock in; state and decision out. Rules:

- A step is judged from what was counted since it began, and only once the canary has served ``minimum_requests`` in
  it; from then on at every look, so that a bad canary is taken back at once, not at the end of its step.
- Where it is compared, the other side must have served as many: in the step or, when the step leaves it too little,
  since the canary began. As long as neither is so, the step lasts.
- The step is over when its time is, it was judged, and every criterion held.
- PROMOTED and ROLLED_BACK last until the plan names another target or another rollout (`CanaryMachine`).
- A paused canary keeps its share and is not judged; when it goes on, its step begins anew.
- Steps may be changed while a canary is under way: it goes on at the same place in the new list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from api_gateway_service_mesh.model import Canary, Upstream

from .key import key_hash
from .row import row
from .share import SHARE_SIZE, ShareTotals

__all__ = [
    "CANARY_CELLS",
    "CanaryDecision",
    "CanaryMachine",
    "CanaryOutcome",
    "CanaryPhase",
    "CanaryState",
    "Observation",
    "advance",
    "weight_cell",
]


class CanaryPhase(IntEnum):
    """Where a canary stands. WAITING: nobody has looked at it yet, it has no share."""

    WAITING = 0
    PROGRESSING = 1
    PAUSED = 2
    PROMOTED = 3
    ROLLED_BACK = 4


class CanaryOutcome(IntEnum):
    """What was decided."""

    STARTED = 1
    ADVANCED = 2
    PROMOTED = 3
    ROLLED_BACK = 4
    PAUSED = 5
    RESUMED = 6


@dataclass(frozen=True, slots=True)
class Observation:
    """The counters of both sides, since ever."""

    canary: ShareTotals
    stable: ShareTotals


@dataclass(frozen=True, slots=True)
class CanaryState:
    """``step`` is an index into the plan's steps, ``weight`` per cent, ``since`` when the step began; ``at_step`` and
    ``at_start`` are the counters of then."""

    phase: CanaryPhase = CanaryPhase.WAITING
    step: int = 0
    weight: float = 0.0
    since: float = 0.0
    at_step: Observation = Observation(ShareTotals(), ShareTotals())
    at_start: Observation = Observation(ShareTotals(), ShareTotals())


@dataclass(frozen=True, slots=True)
class CanaryDecision:
    """A change, and on what evidence: the counters of the step, latencies at the plan's percentile, in seconds."""

    outcome: CanaryOutcome
    reason: str
    step: int
    weight_before: float
    weight_after: float
    canary: ShareTotals
    stable: ShareTotals
    canary_latency: float
    stable_latency: float


def advance(
    plan: Canary, state: CanaryState, seen: Observation, now: float
) -> tuple[CanaryState, CanaryDecision | None]:
    """What becomes of a canary. The decision is None when nothing changes."""
    last = len(plan.steps) - 1
    step = min(state.step, last)
    if state.phase is CanaryPhase.WAITING:
        fresh = CanaryState(CanaryPhase.PROGRESSING, 0, float(plan.steps[0].weight), now, seen, seen)
        if plan.paused:
            return replace(fresh, phase=CanaryPhase.PAUSED, weight=0.0), None
        return fresh, _decision(CanaryOutcome.STARTED, "the first step begins", plan, fresh, state.weight, seen)
    if state.phase is CanaryPhase.PAUSED:
        if plan.paused:
            return state, None
        going = replace(
            state,
            phase=CanaryPhase.PROGRESSING,
            step=step,
            weight=float(plan.steps[step].weight),
            since=now,
            at_step=seen,
        )
        return going, _decision(CanaryOutcome.RESUMED, "the pause is over", plan, going, state.weight, seen)
    if state.phase is not CanaryPhase.PROGRESSING:
        return state, None
    if plan.paused:
        still = replace(state, phase=CanaryPhase.PAUSED)
        return still, _decision(
            CanaryOutcome.PAUSED, "the configuration says so", plan, still, state.weight, seen, state
        )
    weight = float(plan.steps[step].weight)
    if (step, weight) != (state.step, state.weight):
        state = replace(state, step=step, weight=weight, since=now, at_step=seen)
    judged, fault = _judge(plan, state, seen)
    if fault is not None:
        back = replace(state, phase=CanaryPhase.ROLLED_BACK, weight=0.0)
        return back, _decision(CanaryOutcome.ROLLED_BACK, fault, plan, back, state.weight, seen, state)
    if not judged or now - state.since < plan.steps[step].seconds:
        return state, None
    if step == last:
        done = replace(state, phase=CanaryPhase.PROMOTED, weight=100.0)
        reason = "all criteria held in the last step"
        return done, _decision(CanaryOutcome.PROMOTED, reason, plan, done, state.weight, seen, state)
    up = replace(state, step=step + 1, weight=float(plan.steps[step + 1].weight), since=now, at_step=seen)
    return up, _decision(CanaryOutcome.ADVANCED, "all criteria held", plan, up, state.weight, seen, state)


def _judge(plan: Canary, state: CanaryState, seen: Observation) -> tuple[bool, str | None]:
    """Whether there is enough to go by, and what is wrong."""
    canary = seen.canary - state.at_step.canary
    if canary.requests < plan.minimum_requests:
        return False, None
    rate = canary.error_rate
    if plan.max_error_rate is not None and rate > plan.max_error_rate:
        return True, f"error rate {rate:.3g} is above {plan.max_error_rate:g}"
    latency = canary.latency(plan.percentile)
    if plan.max_latency_seconds is not None and latency > plan.max_latency_seconds:
        return True, f"p{plan.percentile} latency {latency:.3g} s is above {plan.max_latency_seconds:g} s"
    if plan.max_error_increase is None and plan.max_latency_ratio is None:
        return True, None
    stable = _other_side(plan, state, seen)
    if stable.requests < plan.minimum_requests:
        return False, None
    if plan.max_error_increase is not None and rate - stable.error_rate > plan.max_error_increase:
        return True, (
            f"error rate {rate:.3g} is more than {plan.max_error_increase:g} above the other side's "
            f"{stable.error_rate:.3g}"
        )
    usual = stable.latency(plan.percentile)
    if plan.max_latency_ratio is not None and latency > plan.max_latency_ratio * usual:
        return True, (
            f"p{plan.percentile} latency {latency:.3g} s is more than {plan.max_latency_ratio:g} times the other "
            f"side's {usual:.3g} s"
        )
    return True, None


def _other_side(plan: Canary, state: CanaryState, seen: Observation) -> ShareTotals:
    in_step = seen.stable - state.at_step.stable
    return in_step if in_step.requests >= plan.minimum_requests else seen.stable - state.at_start.stable


def _decision(
    outcome: CanaryOutcome,
    reason: str,
    plan: Canary,
    state: CanaryState,
    before: float,
    seen: Observation,
    closed: CanaryState | None = None,
) -> CanaryDecision:
    """`closed`: the state whose step the decision closes, where it closes one."""
    canary = seen.canary - closed.at_step.canary if closed is not None else ShareTotals()
    stable = _other_side(plan, closed, seen) if closed is not None else ShareTotals()
    return CanaryDecision(
        outcome,
        reason,
        state.step,
        before,
        state.weight,
        canary,
        stable,
        canary.latency(plan.percentile),
        stable.latency(plan.percentile),
    )


_PHASE, _STEP, _WEIGHT, _SINCE, _SUBJECT, _FIRST = 0, 1, 2, 3, 4, 8
CANARY_CELLS = _FIRST + 4 * SHARE_SIZE
"""Cells of the slot of kind ``canary``."""


def weight_cell(base: int) -> int:
    """The cell of a slot of kind ``canary`` that holds the weight, per cent."""
    return base + _WEIGHT


class CanaryMachine:
    """A canary over its cells. Only the control process advances it; all others read the weight.

    Args:
        upstream: the target; another one, or other addresses, begins anew, as another ``rollout`` does.
    """

    __slots__ = ("_base", "_subject", "_view", "plan")

    def __init__(self, plan: Canary, upstream: Upstream, view: memoryview[float], base: int) -> None:
        self.plan = plan
        self._view = view
        self._base = base
        addresses = " ".join(sorted(endpoint.authority for endpoint in upstream.endpoints))
        # 53 bits, which a float holds exactly; never 0, which is a fresh cell's.
        self._subject = float((key_hash(f"{upstream.iri}\n{addresses}\n{plan.rollout}") & 0x1F_FFFF_FFFF_FFFF) or 1)

    @property
    def state(self) -> CanaryState:
        """What the cells hold; the first state when they are about something else."""
        view, base = self._view, self._base
        if view[base + _SUBJECT] != self._subject:
            return CanaryState()
        sums = [
            ShareTotals.of(row(view[start : start + SHARE_SIZE]))
            for start in range(base + _FIRST, base + CANARY_CELLS, SHARE_SIZE)
        ]
        return CanaryState(
            CanaryPhase(int(view[base + _PHASE])),
            int(view[base + _STEP]),
            view[base + _WEIGHT],
            view[base + _SINCE],
            Observation(sums[0], sums[1]),
            Observation(sums[2], sums[3]),
        )

    def advance(self, seen: Observation, now: float) -> CanaryDecision | None:
        """See `advance`; the cells hold the new state."""
        before = self.state
        state, decision = advance(self.plan, before, seen, now)
        if state != before:
            self._keep(state)
        return decision

    def _keep(self, state: CanaryState) -> None:
        view, base = self._view, self._base
        view[base + _PHASE] = float(state.phase)
        view[base + _STEP] = float(state.step)
        view[base + _WEIGHT] = state.weight
        view[base + _SINCE] = state.since
        view[base + _SUBJECT] = self._subject
        start = base + _FIRST
        for sums in (state.at_step.canary, state.at_step.stable, state.at_start.canary, state.at_start.stable):
            for offset, value in enumerate(sums.cells()):
                view[start + offset] = value
            start += SHARE_SIZE

    def __repr__(self) -> str:
        state = self.state
        return f"<CanaryMachine {self.plan.iri} {state.phase.name} step={state.step + 1} weight={state.weight:g}>"
