"""Circuit breaker: closed while things go well, open after failures in a row, half open to try again.

Rules:

- CLOSED admits all and counts consecutive failures; `failure_threshold` of them trip it.
- OPEN admits nothing for `open_seconds`.
- HALF_OPEN admits `half_open_requests` probes and no more. All succeed: CLOSED. One fails: OPEN again.
- Every change of state begins a new epoch. `admit` hands out a ticket that carries the epoch; what is reported on a
  ticket of an earlier epoch is history and changes nothing.
- A probe that is cancelled gives its place back. A probe that is never heard of again (its worker died) loses its place
  when its lease is over: then a new round of probes begins, as a new epoch.

State and epoch stand in one cell (epoch * 4 + state), so the healthy path is one read and takes no lock.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from api_gateway_service_mesh.model import Breaker

from .lock import NO_LOCK, Lock

__all__ = ["BREAKER_CELLS", "BreakerState", "CircuitBreaker"]


class BreakerState(IntEnum):
    """The states, as ``agw:breakerState`` names them; the numbers are what the cell holds."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class Event(StrEnum):
    """What moves a breaker."""

    TRIPPED = "failure threshold reached"
    COOLED = "open time over"
    PROBE_FAILED = "a probe failed"
    PROBES_PASSED = "all probes succeeded"
    LEASE_LOST = "a probe was never heard of again"


TRANSITIONS: dict[tuple[BreakerState, Event], BreakerState] = {
    (BreakerState.CLOSED, Event.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, Event.COOLED): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, Event.PROBE_FAILED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Event.PROBES_PASSED): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, Event.LEASE_LOST): BreakerState.HALF_OPEN,
}

BREAKER_CELLS = 8
CODE, FAILURES, OPEN_UNTIL, PROBES, PASSED, LEASE_UNTIL, OPENED = range(7)
_CLOSED, _OPEN, _HALF_OPEN = (float(state) for state in BreakerState)


class CircuitBreaker:
    """One breaker over its cells (see the module's rules). ``lease_seconds`` should exceed the longest a request of the
    route may take."""

    __slots__ = ("_base", "_lease", "_lock", "_open_seconds", "_probes", "_threshold", "_view", "iri")

    def __init__(
        self, config: Breaker, view: memoryview[float], base: int, lock: Lock = NO_LOCK, *, lease_seconds: float = 60.0
    ) -> None:
        self.iri = config.iri
        self._threshold = config.failure_threshold
        self._open_seconds = config.open_seconds
        self._probes = max(1, config.half_open_requests)
        self._lease = lease_seconds
        self._view = view
        self._base = base
        self._lock = lock

    def admit(self, now: float) -> float:
        """A ticket (true) when the request may go, 0.0 when not. Each ticket is reported exactly once, by `record` or
        `cancel`."""
        code = self._view[self._base]
        if not code % 4.0:
            return code + 1.0
        return self._admit_slowly(now)

    def record(self, ticket: float, ok: bool, now: float) -> None:
        """The request of `ticket` succeeded, or failed in a way that counts (connect error, reset, timeout, 5xx)."""
        if ok and ticket % 4.0 == 1.0 and not self._view[self._base + FAILURES]:
            return  # a success while closed, and no failures to forget
        self._record_slowly(ticket, ok, now)

    def cancel(self, ticket: float) -> None:
        """The request of `ticket` ended without telling anything of the upstream (the client left)."""
        code = ticket - 1.0
        if code % 4.0 != _HALF_OPEN:
            return
        view, base = self._view, self._base
        self._lock.acquire()
        try:
            if view[base] == code and view[base + PROBES] > view[base + PASSED]:
                view[base + PROBES] -= 1.0
        finally:
            self._lock.release()

    def state(self, now: float) -> BreakerState:
        """For observers: an open breaker whose time is over is HALF_OPEN, for it would admit a probe."""
        state = BreakerState(int(self._view[self._base] % 4.0))
        if state is BreakerState.OPEN and now >= self._view[self._base + OPEN_UNTIL]:
            return BreakerState.HALF_OPEN
        return state

    def retry_after_seconds(self, now: float) -> float:
        """How long from `now` until a request has a chance; 0.0 when it has one now."""
        if self.state(now) is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._view[self._base + OPEN_UNTIL] - now)

    @property
    def failures(self) -> int:
        """Failures in a row so far (``CLOSED`` only)."""
        return int(self._view[self._base + FAILURES])

    @property
    def opened_total(self) -> int:
        """How often it opened (``agw:openedTotal``)."""
        return int(self._view[self._base + OPENED])

    def _admit_slowly(self, now: float) -> float:
        view, base = self._view, self._base
        if view[base] % 4.0 == _OPEN and now < view[base + OPEN_UNTIL]:
            return 0.0
        self._lock.acquire()
        try:
            state = view[base] % 4.0
            if state == _CLOSED:
                return view[base] + 1.0
            if state == _OPEN:
                if now < view[base + OPEN_UNTIL]:
                    return 0.0
                self._move(Event.COOLED, now)
            elif view[base + PROBES] >= self._probes:
                if now < view[base + LEASE_UNTIL]:
                    return 0.0
                self._move(Event.LEASE_LOST, now)
            view[base + PROBES] += 1.0
            view[base + LEASE_UNTIL] = now + self._lease
            return view[base] + 1.0
        finally:
            self._lock.release()

    def _record_slowly(self, ticket: float, ok: bool, now: float) -> None:
        view, base = self._view, self._base
        self._lock.acquire()
        try:
            code = view[base]
            if code != ticket - 1.0:
                return
            if code % 4.0 == _HALF_OPEN:
                if not ok:
                    self._move(Event.PROBE_FAILED, now)
                    return
                view[base + PASSED] += 1.0
                if view[base + PASSED] >= self._probes:
                    self._move(Event.PROBES_PASSED, now)
            elif ok:
                view[base + FAILURES] = 0.0
            else:
                view[base + FAILURES] += 1.0
                if view[base + FAILURES] >= self._threshold:
                    self._move(Event.TRIPPED, now)
        finally:
            self._lock.release()

    def _move(self, event: Event, now: float) -> None:
        """Follow the table; the lock is held."""
        view, base = self._view, self._base
        epoch, state = divmod(view[base], 4.0)
        after = TRANSITIONS[BreakerState(int(state)), event]
        view[base + FAILURES] = 0.0
        view[base + PROBES] = 0.0
        view[base + PASSED] = 0.0
        if after is BreakerState.OPEN:
            view[base + OPEN_UNTIL] = now + self._open_seconds
            view[base + OPENED] += 1.0
        # Last, so that whoever reads the new code without the lock finds its cells ready.
        view[base] = (epoch + 1.0) * 4.0 + after

    def __repr__(self) -> str:
        view, base = self._view, self._base
        state = BreakerState(int(view[base] % 4.0))
        detail = {
            BreakerState.CLOSED: f"failures={self.failures}/{self._threshold}",
            BreakerState.OPEN: f"until={view[base + OPEN_UNTIL]:.3f}",
            BreakerState.HALF_OPEN: f"probes={view[base + PROBES]:.0f}/{self._probes} passed={view[base + PASSED]:.0f}",
        }[state]
        return f"<CircuitBreaker {self.iri} {state.name} {detail} opened={self.opened_total}>"
