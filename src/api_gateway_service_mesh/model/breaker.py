"""A circuit breaker (``agw:CircuitBreaker``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Breaker"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens after ``failure_threshold`` failures in a row (connect errors, resets, timeouts, 5xx), stays open for
    ``open_seconds``, then lets ``half_open_requests`` probes through; all must succeed to close it."""

    iri: str
    failure_threshold: int = 5
    open_seconds: float = 30.0
    half_open_requests: int = 1
