"""Passive health: an endpoint that answers badly is *ejected*, left out of balancing for a while.

Rules, after Envoy's outlier detection:

- A *server error* is an answer of class 5xx or no answer (refused, reset, late); a *gateway error* is 502, 503, 504 or
  no answer. So many of one kind in a row eject. Any other answer ends the row.
- Each interval the endpoints with enough requests are compared: a success rate further below the mean than so many
  standard deviations ejects, and so does a percentage of failures at or above a bound.
- An ejection lasts the base time times how often in a row the endpoint was ejected, up to the maximum; each interval
  that it then goes without one counts it down by one.
- Never are more than the maximum percentage ejected at a time (at least one may be, unless it is 0), and never the last
  one that is available.

Exact over all workers: rows are counted in shared cells under the lock (which a success takes only to end a row),
totals in columns of each worker. The ejection itself stands in the endpoint's health cells, where balancers read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev

from api_gateway_service_mesh.model import OutlierDetection, Upstream

from .health import EJECTED_UNTIL, EJECTION_ROUND, EJECTIONS, HealthState
from .lock import NO_LOCK, Lock
from .roster import EPOCH_SLOT

__all__ = ["SWEEP_CELLS", "OutlierDetector", "detector", "outlier_cells", "outlier_key"]

COLUMN_CELLS = 8
SWEEP_CELLS = 8
# Of an endpoint: what all workers share, then a column for each worker.
ERRORS, GATEWAY_ERRORS, SEEN_GOOD, SEEN_BAD = range(4)
GOOD, BAD = range(2)

_GATEWAY = frozenset({502, 503, 504})
_OUT = (float(HealthState.UNHEALTHY), float(HealthState.STARTING))


def outlier_cells(workers: int) -> int:
    """Cells of one endpoint."""
    return COLUMN_CELLS * (1 + workers)


def outlier_key(upstream: str, endpoint: str) -> tuple[str, str]:
    """The slot of an endpoint's rows and totals: one for each upstream that judges it."""
    return "outlier", f"{upstream} {endpoint}"


def detector(
    upstream: Upstream,
    view: memoryview[float],
    slots: Mapping[tuple[str, str], int],
    lock: Lock = NO_LOCK,
    workers: int = 1,
    worker: int = 0,
) -> OutlierDetector | None:
    """The machine of an upstream that has one, over the slots that `layout_for` reserved."""
    config = upstream.outlier
    if config is None:
        return None
    return OutlierDetector(
        config,
        view,
        sweep=slots["outlier_sweep", upstream.iri],
        epoch=slots[EPOCH_SLOT],
        endpoints=[slots[outlier_key(upstream.iri, endpoint.iri)] for endpoint in upstream.endpoints],
        health=[slots["health", endpoint.iri] for endpoint in upstream.endpoints],
        usable=[endpoint.weight > 0 for endpoint in upstream.endpoints],
        lock=lock,
        workers=workers,
        worker=worker,
    )


class OutlierDetector:
    """Judges the endpoints of one upstream. Bases of cells: ``sweep`` and ``epoch``, and for each endpoint in order
    those of its own (``endpoints``) and of its ``health``."""

    __slots__ = (
        "_column", "_compares", "_config", "_endpoints", "_epoch", "_health", "_lock", "_sweep", "_usable", "_view",
        "_workers",
    )  # fmt: skip

    def __init__(
        self,
        config: OutlierDetection,
        view: memoryview[float],
        *,
        sweep: int,
        epoch: int,
        endpoints: Sequence[int],
        health: Sequence[int],
        usable: Sequence[bool],
        lock: Lock = NO_LOCK,
        workers: int = 1,
        worker: int = 0,
    ) -> None:
        self._config = config
        self._view = view
        self._sweep = sweep
        self._epoch = epoch
        self._endpoints = endpoints
        self._health = health
        self._usable = usable
        self._lock = lock
        self._workers = workers
        self._column = COLUMN_CELLS * (1 + worker)
        self._compares = config.success_rate_factor is not None or config.failure_percentage is not None

    def record(self, index: int, status: int, answered: bool, now: float) -> list[int]:
        """Take in what became of one attempt; the endpoints that were ejected by it (indices), most often none.

        Args:
            index: of the endpoint.
            status: of the answer, 0 when none came.
            answered: False when the attempt failed: no connection, a reset, nothing in time.
            now: seconds on the gateway's clock.
        """
        view, base = self._view, self._endpoints[index]
        error = not answered or status >= 500
        ejected: list[int] = []
        if self._compares:
            view[base + self._column + (BAD if error else GOOD)] += 1.0
            if now >= view[self._sweep]:
                ejected = self._compare(now)
        if not error:
            if view[base + ERRORS]:
                self._end_row(base)
            return ejected
        config, health = self._config, self._health[index]
        self._lock.acquire()
        try:
            if view[health + EJECTED_UNTIL] > now:
                return ejected  # an answer that was under way; it is out already
            view[base + ERRORS] += 1.0
            gateway = not answered or status in _GATEWAY
            view[base + GATEWAY_ERRORS] = view[base + GATEWAY_ERRORS] + 1.0 if gateway else 0.0
            rows = (
                (view[base + ERRORS], config.consecutive_errors),
                (view[base + GATEWAY_ERRORS], config.consecutive_gateway_errors),
            )
            if any(0 < most <= row for row, most in rows) and self._eject(index, now):
                ejected.append(index)
        finally:
            self._lock.release()
        return ejected

    def _end_row(self, base: int) -> None:
        self._lock.acquire()
        try:
            self._view[base + ERRORS] = self._view[base + GATEWAY_ERRORS] = 0.0
        finally:
            self._lock.release()

    def _compare(self, now: float) -> list[int]:
        """The end of an interval: whoever of all workers comes first looks at all endpoints."""
        view, config = self._view, self._config
        ejected: list[int] = []
        self._lock.acquire()
        try:
            due = view[self._sweep]
            if now < due:
                return ejected
            view[self._sweep] = now + config.interval_seconds
            rates = self._rates()
            if not due or len(rates) < config.minimum_hosts:
                return ejected
            bounds: list[Callable[[float], bool]] = []
            if config.success_rate_factor is not None:
                low = fmean(rates.values()) - config.success_rate_factor * pstdev(rates.values())
                bounds.append(lambda rate: rate < low)
            if config.failure_percentage is not None:
                most = config.failure_percentage / 100
                bounds.append(lambda rate: 1.0 - rate >= most)
            for index, rate in sorted(rates.items(), key=lambda pair: pair[1]):
                out = view[self._health[index] + EJECTED_UNTIL] > now
                if not out and any(beyond(rate) for beyond in bounds) and self._eject(index, now):
                    ejected.append(index)
        finally:
            self._lock.release()
        return ejected

    def _rates(self) -> dict[int, float]:
        """Success rates of the interval that ends, of endpoints with enough requests; the next one begins."""
        view = self._view
        rates: dict[int, float] = {}
        for index, base in enumerate(self._endpoints):
            columns = [base + COLUMN_CELLS * (1 + worker) for worker in range(self._workers)]
            good = sum(view[column + GOOD] for column in columns)
            bad = sum(view[column + BAD] for column in columns)
            new_good, new_bad = good - view[base + SEEN_GOOD], bad - view[base + SEEN_BAD]
            view[base + SEEN_GOOD], view[base + SEEN_BAD] = good, bad
            if self._usable[index] and new_good + new_bad >= self._config.minimum_requests:
                rates[index] = new_good / (new_good + new_bad)
        return rates

    def _eject(self, index: int, now: float) -> bool:
        """Eject, unless too many are out. The lock is held."""
        view, config = self._view, self._config
        usable = [health for health, counts in zip(self._health, self._usable, strict=True) if counts]
        out = [health for health in usable if view[health + EJECTED_UNTIL] > now]
        percent = config.maximum_ejection_percent
        most = max(1, len(usable) * percent // 100) if percent else 0
        mine = self._health[index]
        left = any(health != mine and view[health] not in _OUT and health not in out for health in usable)
        if len(out) >= most or not left:
            return False
        spared = int((now - view[mine + EJECTED_UNTIL]) / config.interval_seconds)
        times = max(0.0, view[mine + EJECTION_ROUND] - spared) + 1.0
        view[mine + EJECTION_ROUND] = times
        view[mine + EJECTIONS] += 1.0
        view[mine + EJECTED_UNTIL] = now + min(
            config.base_ejection_seconds * times, max(config.maximum_ejection_seconds, config.base_ejection_seconds)
        )
        base = self._endpoints[index]
        view[base + ERRORS] = view[base + GATEWAY_ERRORS] = 0.0
        view[self._epoch] += 1.0
        return True

    def __repr__(self) -> str:
        view = self._view
        rows = " ".join(f"{int(view[base + ERRORS])}" for base in self._endpoints)
        return f"<OutlierDetector {self._config.iri} errors=[{rows}]>"
