"""Retry budgets: how many further attempts a backend may be given beside its requests.

Without one, a backend that fails half of its requests gets a multiple of its load just when it can bear least. With
one, retries (and hedges) to one upstream stay below ``percent`` per cent of the requests of the last `WINDOW_SECONDS`,
or within ``minimum`` a second where that is more.

Rules:

- Requests and retries are counted in whole seconds; the second under way counts too.
- Each worker counts in a column of its own, without a lock; who wants a retry sums all columns under the lock, so the
  bound is exact over workers, but for requests that are being counted at that moment.
- A retry that is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api_gateway_service_mesh.model import Mesh, Retry, Route

from .lock import NO_LOCK, Lock
from .row import row

__all__ = ["BUDGET_CELLS", "BudgetTotals", "RetryBudget", "budget_key", "budgeted", "budgeting", "read_budget"]

WINDOW_SECONDS = 10
_PIECE = 3
GRANTED = WINDOW_SECONDS * _PIECE
REFUSED = GRANTED + 1
BUDGET_CELLS = 32
"""A worker's column: for each second its number, requests, retries; then all that were granted, and refused."""


def budget_key(policy: str, upstream: str) -> tuple[str, str]:
    """The slot of the budget that the policy of this IRI keeps for an upstream."""
    return "retry_budget", f"{policy} {upstream}"


def budgeted(mesh: Mesh) -> Iterator[tuple[str, str]]:
    """Every policy of `mesh` that has budgets, and the upstream of each, by IRI."""
    pairs: dict[tuple[str, str], None] = {}
    for route in mesh.routes:
        policy = budgeting(route)
        if policy is not None:
            for upstream in route.upstreams:
                pairs[policy.iri, upstream] = None
    return iter(pairs)


def budgeting(route: Route) -> Retry | None:
    """The policy that bounds the retries and hedges of `route`: its retry policy, or the defaults for its hedging."""
    if route.retry is None and route.hedging is not None:
        return Retry(route.hedging.iri)
    return route.retry


class RetryBudget:
    """One worker's view of the budget at `base`."""

    __slots__ = ("_base", "_column", "_lock", "_minimum", "_share", "_view", "_workers")

    def __init__(
        self,
        percent: float,
        minimum: float,
        view: memoryview[float],
        base: int,
        *,
        workers: int = 1,
        worker: int = 0,
        lock: Lock = NO_LOCK,
    ) -> None:
        self._share = percent / 100.0
        self._minimum = minimum * WINDOW_SECONDS
        self._view = view
        self._base = base
        self._column = base + worker * BUDGET_CELLS
        self._workers = workers
        self._lock = lock

    def request(self, now: float) -> None:
        """Count a request, once, however often it is tried."""
        self._view[self._piece(now) + 1] += 1.0

    def take(self, now: float) -> bool:
        """Whether one more retry is allowed; then it is counted."""
        view = self._view
        self._lock.acquire()
        try:
            requests, retries = self.recent(now)
            granted = retries + 1.0 <= self._minimum or retries + 1.0 < self._share * requests
            if granted:
                view[self._piece(now) + 2] += 1.0
            view[self._column + (GRANTED if granted else REFUSED)] += 1.0
            return granted
        finally:
            self._lock.release()

    def recent(self, now: float) -> tuple[float, float]:
        """Requests and retries of the window, over all workers."""
        oldest = float(int(now) + 1 - WINDOW_SECONDS)
        requests = retries = 0.0
        for worker in range(self._workers):
            start = self._base + worker * BUDGET_CELLS
            cells = row(self._view[start : start + GRANTED])
            for at in range(0, GRANTED, _PIECE):
                if cells[at] > oldest:
                    requests += cells[at + 1]
                    retries += cells[at + 2]
        return requests, retries

    def _piece(self, now: float) -> int:
        """The cells of this second, begun anew when they held another."""
        view, second = self._view, int(now) + 1  # cells that were never used hold 0
        piece = self._column + second % WINDOW_SECONDS * _PIECE
        if view[piece] != second:
            view[piece + 1] = 0.0
            view[piece + 2] = 0.0
            view[piece] = float(second)
        return piece

    def __repr__(self) -> str:
        totals = read_budget(self._view, self._base, self._workers)
        return f"<RetryBudget {self._share:.0%} granted={totals.granted} refused={totals.refused}>"


@dataclass(frozen=True, slots=True)
class BudgetTotals:
    """What a budget granted and refused since the gateway started, over all workers."""

    granted: int
    refused: int


def read_budget(view: memoryview[float], base: int, workers: int) -> BudgetTotals:
    """Sum a budget's columns."""
    granted = refused = 0.0
    for column in range(base, base + workers * BUDGET_CELLS, BUDGET_CELLS):
        granted += view[column + GRANTED]
        refused += view[column + REFUSED]
    return BudgetTotals(int(granted), int(refused))
