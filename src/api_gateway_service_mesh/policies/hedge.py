"""Hedges: whether a request may have a second attempt beside its first, and how many had."""

from __future__ import annotations

from dataclasses import dataclass

from api_gateway_service_mesh.model import Hedging

from .retry import IDEMPOTENT_METHODS

__all__ = ["HEDGE_CELLS", "HedgeCounters", "HedgeTotals", "may_hedge", "read_hedge"]

SENT, WON = range(2)
HEDGE_CELLS = 8


def may_hedge(config: Hedging, method: str, *, replayable: bool) -> bool:
    """Whether a request may reach two backends at once. `replayable`: its body is at hand from the beginning."""
    return replayable and (method in IDEMPOTENT_METHODS or config.non_idempotent)


class HedgeCounters:
    """One worker's counters of one hedging."""

    __slots__ = ("_column", "_view")

    def __init__(self, view: memoryview[float], base: int, worker: int = 0) -> None:
        self._view = view
        self._column = base + worker * HEDGE_CELLS

    def sent(self) -> None:
        """Count a second attempt."""
        self._view[self._column + SENT] += 1.0

    def won(self) -> None:
        """Count a second attempt whose answer the client got."""
        self._view[self._column + WON] += 1.0


@dataclass(frozen=True, slots=True)
class HedgeTotals:
    """A hedging's counters over all workers."""

    sent: int
    won: int


def read_hedge(view: memoryview[float], base: int, workers: int) -> HedgeTotals:
    """Sum a hedging's columns."""
    columns = [base + worker * HEDGE_CELLS for worker in range(workers)]
    return HedgeTotals(
        int(sum(view[column + SENT] for column in columns)), int(sum(view[column + WON] for column in columns))
    )
