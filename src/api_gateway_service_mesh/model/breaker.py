"""A circuit breaker (``agw:CircuitBreaker``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Breaker", "BreakerScope"]


class BreakerScope(StrEnum):
    """``agw:breakerScope``: what has a state of its own."""

    ROUTE = "route"
    SERVICE = "service"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens after ``failure_threshold`` failures in a row (connect errors, resets, timeouts, 5xx), stays open for
    ``open_seconds``, then lets ``half_open_requests`` probes through; all must succeed to close it.

    It also opens when ``failure_rate`` per cent of the requests of the last ``window_seconds`` failed, or ``slow_rate``
    per cent took longer than ``slow_seconds``, once there are ``minimum_requests`` of them; None: that does not count.
    ``failure_statuses`` are the statuses that count as failures; empty: every 5xx.

    Each time it opens again before it stayed closed for as long as it was last open, the open time is multiplied by
    ``open_multiplier``, up to ``max_open_seconds``.
    """

    iri: str
    failure_threshold: int = 5
    open_seconds: float = 30.0
    half_open_requests: int = 1
    failure_rate: float | None = None
    slow_seconds: float | None = None
    slow_rate: float = 100.0
    window_seconds: float = 10.0
    minimum_requests: int = 20
    failure_statuses: tuple[int, ...] = ()
    open_multiplier: float = 1.0
    max_open_seconds: float = 300.0
    scope: BreakerScope = BreakerScope.ROUTE

    @property
    def windowed(self) -> bool:
        """Whether rates over the window can open it."""
        return self.failure_rate is not None or self.slow_seconds is not None
