"""What a route or a service is held to (``agw:ServiceLevelObjective``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Objective"]

DEFAULT_WINDOW_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Objective:
    """Of the requests of each of ``subjects`` (IRIs of routes and services) the share ``availability`` is to be
    answered without a failure, and the share ``latency`` within ``threshold_seconds``; None: nothing is demanded.
    ``window_seconds`` is how long the budget of misses is to last. It decides nothing about a request.
    """

    iri: str
    subjects: tuple[str, ...]
    availability: float | None = None
    latency: float | None = None
    threshold_seconds: float | None = None
    window_seconds: float = DEFAULT_WINDOW_SECONDS
