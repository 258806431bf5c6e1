"""Circuit breaker: closed while things go well, open after failures, half open to try again.

Rules:

- CLOSED admits all and counts consecutive failures; `failure_threshold` of them trip it. So does a rate of failures or
  of slow answers in the window, once there are `minimum_requests` in it. The window is `BUCKETS` pieces of equal
  length; the piece that is being filled counts whole, so it looks back between nine tenths of its length and all of it.
- OPEN admits nothing for `open_seconds`; longer each time it opens again before it stayed closed for as long as it was
  last open (a probe that fails opens it again at once).
- HALF_OPEN admits `half_open_requests` probes and no more. All succeed: CLOSED. One fails, or is slow: OPEN again.
- Every change of state begins a new epoch. `admit` hands out a ticket that carries the epoch; what is reported on a
  ticket of an earlier epoch is history and changes nothing.
- A probe that is cancelled gives its place back. A probe that is never heard of again (its worker died) loses its place
  when its lease is over: then a new round of probes begins, as a new epoch.

State and epoch stand in one cell (epoch * 4 + state), so the healthy path is one read and takes no lock. A breaker with
a window counts every request in it, under the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from api_gateway_service_mesh.model import Breaker, BreakerScope, Mesh

from .lock import NO_LOCK, Lock
from .row import row

__all__ = [
    "BreakerState",
    "BreakerUnit",
    "CircuitBreaker",
    "breaker_cells",
    "breaker_key",
    "breaker_units",
    "read_breaker",
]


class BreakerState(IntEnum):
    """The states, as ``agw:breakerState`` names them; the numbers are what the cell holds."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class Event(StrEnum):
    """What moves a breaker."""

    TRIPPED = "too many failures, or too many slow answers"
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

CODE, FAILURES, OPEN_UNTIL, PROBES, PASSED, LEASE_UNTIL, OPENED, AGAIN, LAST_OPEN, CLOSED_AT = range(10)
_WINDOW = 16
"""The first cell of the window's pieces: each is its number in time, requests, failures, slow ones."""
BUCKETS = 10
_PIECE = 4
_CLOSED, _OPEN, _HALF_OPEN = (float(state) for state in BreakerState)


def breaker_cells(config: Breaker) -> int:
    """Cells of the slot of kind ``breaker``."""
    return _WINDOW + (BUCKETS * _PIECE if config.windowed else 0)


def breaker_key(config: Breaker, subject: str) -> tuple[str, str]:
    """The slot of the state that `config` keeps for `subject`, the IRI of a service or instance; by scope ``route``
    it has one for all."""
    return "breaker", config.iri if config.scope is BreakerScope.ROUTE else f"{config.iri} {subject}"


@dataclass(frozen=True, slots=True)
class BreakerUnit:
    """One state of a breaker. ``subject``: the IRI of the service or instance it is about, or the breaker's own."""

    breaker: Breaker
    subject: str

    @property
    def key(self) -> tuple[str, str]:
        """Where its cells are."""
        return breaker_key(self.breaker, self.subject)


def breaker_units(mesh: Mesh) -> Iterator[BreakerUnit]:
    """Every state of every breaker of `mesh`, once."""
    endpoints = {upstream.iri: [endpoint.iri for endpoint in upstream.endpoints] for upstream in mesh.upstreams}
    units: dict[BreakerUnit, None] = {}
    for route in mesh.routes:
        breaker = route.breaker
        if breaker is None:
            continue
        if breaker.scope is BreakerScope.ROUTE:
            units[BreakerUnit(breaker, breaker.iri)] = None
            continue
        for target in route.upstreams:
            for subject in [target] if breaker.scope is BreakerScope.SERVICE else endpoints.get(target, ()):
                units[BreakerUnit(breaker, subject)] = None
    return iter(units)


def read_breaker(view: memoryview[float], base: int, now: float) -> tuple[BreakerState, int]:
    """The state of the breaker whose cells begin at `base`, and how often it opened. An open one whose time is over is
    HALF_OPEN, for it would admit a probe."""
    state = BreakerState(int(view[base] % 4.0))
    if state is BreakerState.OPEN and now >= view[base + OPEN_UNTIL]:
        state = BreakerState.HALF_OPEN
    return state, int(view[base + OPENED])


class CircuitBreaker:
    """One breaker over its cells (see the module's rules). ``lease_seconds`` should exceed the longest a request of the
    route may take."""

    __slots__ = (
        "_base", "_config", "_lease", "_lock", "_probes", "_slow_seconds", "_statuses", "_threshold", "_view",
        "_windowed", "iri",
    )  # fmt: skip

    def __init__(
        self, config: Breaker, view: memoryview[float], base: int, lock: Lock = NO_LOCK, *, lease_seconds: float = 60.0
    ) -> None:
        self.iri = config.iri
        self._threshold = config.failure_threshold
        self._config = config
        self._windowed = config.windowed
        self._slow_seconds = config.slow_seconds
        self._statuses = frozenset(config.failure_statuses)
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

    def fails(self, status: int) -> bool:
        """Whether an answer of this status is a failure."""
        return status in self._statuses if self._statuses else status >= 500

    def record(self, ticket: float, ok: bool, now: float, seconds: float = 0.0) -> None:
        """The request of `ticket` succeeded, or failed in a way that counts (connect error, reset, timeout, a status
        that `fails`); `seconds`: how long its answer took to begin."""
        if ok and ticket % 4.0 == 1.0 and not self._windowed and not self._view[self._base + FAILURES]:
            return  # a success while closed, and no failures to forget
        self._record_slowly(ticket, ok, now, seconds)

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
        """For observers: see `read_breaker`."""
        return read_breaker(self._view, self._base, now)[0]

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

    def _record_slowly(self, ticket: float, ok: bool, now: float, seconds: float) -> None:
        view, base = self._view, self._base
        slow = self._slow_seconds is not None and seconds > self._slow_seconds
        self._lock.acquire()
        try:
            code = view[base]
            if code != ticket - 1.0:
                return
            if code % 4.0 == _HALF_OPEN:
                if not ok or slow:
                    self._move(Event.PROBE_FAILED, now)
                    return
                view[base + PASSED] += 1.0
                if view[base + PASSED] >= self._probes:
                    self._move(Event.PROBES_PASSED, now)
                return
            view[base + FAILURES] = 0.0 if ok else view[base + FAILURES] + 1.0
            too_many = self._windowed and self._counted(ok, slow, now)
            if too_many or view[base + FAILURES] >= self._threshold:
                self._move(Event.TRIPPED, now)
        finally:
            self._lock.release()

    def _counted(self, ok: bool, slow: bool, now: float) -> bool:
        """Count a request in the window; whether a rate is too high now. The lock is held."""
        view, config = self._view, self._config
        number = now // (config.window_seconds / BUCKETS) + 1.0  # cells that were never used hold 0
        piece = self._base + _WINDOW + int(number % BUCKETS) * _PIECE
        if view[piece] != number:
            view[piece], view[piece + 1], view[piece + 2], view[piece + 3] = number, 0.0, 0.0, 0.0
        view[piece + 1] += 1.0
        if not ok:
            view[piece + 2] += 1.0
        if slow:
            view[piece + 3] += 1.0
        requests, failed, slowed = self.window(now)
        if requests < config.minimum_requests:
            return False
        if config.failure_rate is not None and failed * 100.0 >= config.failure_rate * requests:
            return True
        return config.slow_seconds is not None and slowed * 100.0 >= config.slow_rate * requests

    def window(self, now: float) -> tuple[int, int, int]:
        """Requests, failures and slow ones of the window."""
        if not self._windowed:
            return 0, 0, 0
        start = self._base + _WINDOW
        cells = row(self._view[start : start + BUCKETS * _PIECE])
        oldest = now // (self._config.window_seconds / BUCKETS) + 1.0 - BUCKETS
        live = [at for at in range(0, BUCKETS * _PIECE, _PIECE) if cells[at] > oldest]
        requests, failed, slowed = (int(sum(cells[at + which] for at in live)) for which in (1, 2, 3))
        return requests, failed, slowed

    def _open_seconds(self, event: Event, now: float) -> float:
        """How long to stay open this time. The lock is held."""
        view, base, config = self._view, self._base, self._config
        if event is Event.PROBE_FAILED or now - view[base + CLOSED_AT] < view[base + LAST_OPEN]:
            view[base + AGAIN] += 1.0
        else:
            view[base + AGAIN] = 0.0
        longest = max(config.open_seconds, config.max_open_seconds)
        try:
            seconds = min(longest, config.open_seconds * float(config.open_multiplier ** view[base + AGAIN]))
        except OverflowError:
            seconds = longest
        view[base + LAST_OPEN] = seconds
        return seconds

    def _move(self, event: Event, now: float) -> None:
        """Follow the table; the lock is held."""
        view, base = self._view, self._base
        epoch, state = divmod(view[base], 4.0)
        after = TRANSITIONS[BreakerState(int(state)), event]
        view[base + FAILURES] = 0.0
        view[base + PROBES] = 0.0
        view[base + PASSED] = 0.0
        if after is BreakerState.OPEN:
            view[base + OPEN_UNTIL] = now + self._open_seconds(event, now)
            view[base + OPENED] += 1.0
            for cell in range(_WINDOW, breaker_cells(self._config)):  # what was before is not held against it again
                view[base + cell] = 0.0
        elif after is BreakerState.CLOSED:
            view[base + CLOSED_AT] = now
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
