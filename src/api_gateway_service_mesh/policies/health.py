"""Health of an endpoint, from the results of its probes.

Rules: UNKNOWN until a threshold is reached; `success_threshold` successes in a row make it HEALTHY,
`failure_threshold` failures in a row UNHEALTHY; any other result only breaks the other run. Traffic goes to UNKNOWN
endpoints: a gateway that just started must serve before its first probe answered.
"""

from __future__ import annotations

from enum import IntEnum

from api_gateway_service_mesh.model import HealthCheck

from .lock import NO_LOCK, Lock

__all__ = ["HEALTH_CELLS", "EndpointHealth", "HealthState", "read_health"]


class HealthState(IntEnum):
    """``agw:healthState``; the numbers are what the cell holds."""

    UNKNOWN = 0
    HEALTHY = 1
    UNHEALTHY = 2


HEALTH_CELLS = 8
STATE, SUCCESSES, FAILURES, SINCE = range(4)


def read_health(view: memoryview[float], base: int) -> HealthState:
    """The state in an endpoint's health cells."""
    return HealthState(int(view[base]))


class EndpointHealth:
    """The machine that probes report to, over an endpoint's health cells."""

    __slots__ = ("_base", "_failure_threshold", "_lock", "_success_threshold", "_view", "iri")

    def __init__(self, iri: str, check: HealthCheck, view: memoryview[float], base: int, lock: Lock = NO_LOCK) -> None:
        self.iri = iri
        self._success_threshold = check.success_threshold
        self._failure_threshold = check.failure_threshold
        self._view = view
        self._base = base
        self._lock = lock

    def record(self, ok: bool, now: float) -> bool:
        """Take in one probe's result; True when the state changed by it."""
        view, base = self._view, self._base
        run, other, threshold, target = (
            (SUCCESSES, FAILURES, self._success_threshold, HealthState.HEALTHY)
            if ok
            else (FAILURES, SUCCESSES, self._failure_threshold, HealthState.UNHEALTHY)
        )
        self._lock.acquire()
        try:
            view[base + other] = 0.0
            view[base + run] += 1.0
            if view[base] == target or view[base + run] < threshold:
                return False
            view[base + SINCE] = now
            view[base] = float(target)
            return True
        finally:
            self._lock.release()

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
        self._lock.acquire()
        try:
            for cell in (STATE, SUCCESSES, FAILURES, SINCE):
                self._view[self._base + cell] = 0.0
        finally:
            self._lock.release()

    def __repr__(self) -> str:
        view, base = self._view, self._base
        return (
            f"<EndpointHealth {self.iri} {self.state.name} "
            f"successes={int(view[base + SUCCESSES])}/{self._success_threshold} "
            f"failures={int(view[base + FAILURES])}/{self._failure_threshold}>"
        )
