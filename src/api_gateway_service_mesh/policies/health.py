"""Health of an endpoint, from the results of its probes.

Rules: a probe's *verdict* is unknown until a threshold is reached; ``success_threshold`` successes in a row make it
good, ``failure_threshold`` failures in a row bad; any other result only breaks the other run. From the verdicts of the
probes that an upstream has:

- *Startup* comes first: until its verdict is good the endpoint is STARTING (UNHEALTHY once it is bad), and its other
  probes are not asked. After that it is not asked again, unless the endpoint was found dead.
- *Liveness* bad: UNHEALTHY, whatever readiness says. The endpoint is taken for dead; with a startup probe it then has
  to start again.
- *Readiness* (or a plain health check) decides about traffic: good is HEALTHY, bad UNHEALTHY, not known yet UNKNOWN.
  Without one a good startup or liveness verdict is HEALTHY.

Traffic goes to UNKNOWN endpoints: a gateway that just started must serve before its first probe answered. It does not
go to STARTING and UNHEALTHY ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from api_gateway_service_mesh.model import HealthCheck, Purpose

from .lock import NO_LOCK, Lock

__all__ = [
    "AVAILABLE_SINCE",
    "EJECTED_UNTIL",
    "EJECTIONS",
    "HEALTH_CELLS",
    "JOINED",
    "EndpointHealth",
    "HealthState",
    "read_ejection",
    "read_ever_healthy",
    "read_failing",
    "read_health",
]


class HealthState(IntEnum):
    """``agw:healthState``; the numbers are what the cell holds."""

    UNKNOWN = 0
    HEALTHY = 1
    UNHEALTHY = 2
    STARTING = 3


HEALTH_CELLS = 16
# The first line is what a balancer reads; runs and verdicts of the three purposes follow from RUNS on, two cells each.
STATE, EJECTED_UNTIL, AVAILABLE_SINCE, JOINED, SINCE, FAILING, EJECTIONS, EJECTION_ROUND, RUNS = range(9)
_EVER = HEALTH_CELLS - 1

GOOD, BAD = 1.0, -1.0


def read_health(view: memoryview[float], base: int) -> HealthState:
    """The state in an endpoint's health cells."""
    return HealthState(int(view[base]))


def read_ever_healthy(view: memoryview[float], base: int) -> bool:
    """Whether the endpoint has been HEALTHY at any time."""
    return bool(view[base + _EVER])


def read_failing(view: memoryview[float], base: int) -> Purpose | None:
    """What the probe is for whose verdict makes the endpoint UNHEALTHY."""
    number = int(view[base + FAILING])
    return tuple(Purpose)[number - 1] if number else None


def read_ejection(view: memoryview[float], base: int) -> tuple[float, int]:
    """Until when an endpoint is ejected (on the gateway's clock; 0.0: never was), and how often it was."""
    return float(view[base + EJECTED_UNTIL]), int(view[base + EJECTIONS])


class EndpointHealth:
    """The machine that probes report to, over an endpoint's health cells.

    ``epoch`` is the cell that is moved on with each change of state, -1 for none.
    """

    __slots__ = ("_base", "_checks", "_epoch", "_lock", "_view", "iri")

    def __init__(
        self,
        iri: str,
        checks: Mapping[Purpose, HealthCheck],
        view: memoryview[float],
        base: int,
        lock: Lock = NO_LOCK,
        epoch: int = -1,
    ) -> None:
        self.iri = iri
        self._checks = checks
        self._view = view
        self._base = base
        self._lock = lock
        self._epoch = epoch

    def record(self, purpose: Purpose, ok: bool, now: float) -> bool:
        """Take in one probe's result; True when the state changed by it."""
        view, check = self._view, self._checks[purpose]
        cell = self._cell(purpose)
        self._lock.acquire()
        try:
            run = view[cell]
            view[cell] = run = (max(run, 0.0) + 1.0) if ok else (min(run, 0.0) - 1.0)
            if run >= check.success_threshold:
                view[cell + 1] = GOOD
            elif -run >= check.failure_threshold:
                view[cell + 1] = BAD
                if purpose is Purpose.LIVENESS and Purpose.STARTUP in self._checks:
                    start = self._cell(Purpose.STARTUP)
                    view[start] = view[start + 1] = 0.0
            if purpose is Purpose.STARTUP and view[cell + 1] == GOOD and self._verdict(Purpose.LIVENESS) == BAD:
                live = self._cell(Purpose.LIVENESS)
                view[live] = view[live + 1] = 0.0  # it has started anew: what was dead is forgotten
            return self._settle(now)
        finally:
            self._lock.release()

    def begin(self, now: float) -> bool:
        """Probes begin: an endpoint with a startup probe that never answered one is STARTING."""
        self._lock.acquire()
        try:
            return self._settle(now)
        finally:
            self._lock.release()

    def asks(self, purpose: Purpose) -> bool:
        """Whether a probe of this purpose is to be sent now."""
        if Purpose.STARTUP not in self._checks:
            return True
        return (self._verdict(Purpose.STARTUP) == GOOD) is (purpose is not Purpose.STARTUP)

    @property
    def state(self) -> HealthState:
        """The state now."""
        return read_health(self._view, self._base)

    @property
    def since(self) -> float:
        """When the state last changed, on the clock that was handed in; 0.0: never."""
        return float(self._view[self._base + SINCE])

    def reset(self) -> None:
        """Back to UNKNOWN: the endpoint's check was taken away."""
        view, base = self._view, self._base
        self._lock.acquire()
        try:
            for cell in (STATE, SINCE, FAILING, *range(RUNS, RUNS + 2 * len(Purpose))):
                view[base + cell] = 0.0
            self._move_on()
        finally:
            self._lock.release()

    def _cell(self, purpose: Purpose) -> int:
        return self._base + RUNS + 2 * tuple(Purpose).index(purpose)

    def _verdict(self, purpose: Purpose) -> float:
        return self._view[self._cell(purpose) + 1]

    def _settle(self, now: float) -> bool:
        """Make the state of the verdicts; True when it changed."""
        view, base = self._view, self._base
        state, failing = self._judged()
        view[base + FAILING] = float(tuple(Purpose).index(failing) + 1) if failing is not None else 0.0
        if view[base] == state:
            return False
        if state is HealthState.HEALTHY and view[base] != HealthState.UNKNOWN:
            view[base + AVAILABLE_SINCE] = now
        if state is HealthState.HEALTHY:
            view[base + _EVER] = 1.0
        view[base + SINCE] = now
        view[base] = float(state)
        self._move_on()
        return True

    def _judged(self) -> tuple[HealthState, Purpose | None]:
        checks = self._checks
        if Purpose.STARTUP in checks:
            verdict = self._verdict(Purpose.STARTUP)
            if verdict == BAD:
                return HealthState.UNHEALTHY, Purpose.STARTUP
            if verdict != GOOD:
                dead = Purpose.LIVENESS in checks and self._verdict(Purpose.LIVENESS) == BAD
                return (HealthState.UNHEALTHY, Purpose.LIVENESS) if dead else (HealthState.STARTING, None)
        if Purpose.LIVENESS in checks and self._verdict(Purpose.LIVENESS) == BAD:
            return HealthState.UNHEALTHY, Purpose.LIVENESS
        if Purpose.READINESS in checks:
            verdict = self._verdict(Purpose.READINESS)
            if verdict == BAD:
                return HealthState.UNHEALTHY, Purpose.READINESS
            return HealthState.HEALTHY if verdict == GOOD else HealthState.UNKNOWN, None
        good = any(self._verdict(purpose) == GOOD for purpose in checks)
        return HealthState.HEALTHY if good else HealthState.UNKNOWN, None

    def _move_on(self) -> None:
        if self._epoch >= 0:
            self._view[self._epoch] += 1.0

    def __repr__(self) -> str:
        runs = " ".join(f"{purpose}={int(self._view[self._cell(purpose)]):+d}" for purpose in self._checks)
        return f"<EndpointHealth {self.iri} {self.state.name} {runs}>"
