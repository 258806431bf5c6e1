"""Progressive delivery: how a canary is raised, and by what it is judged (``agw:CanaryDeployment`` with steps)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Canary", "CanaryStep"]


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """``weight`` per cent of the requests, watched for at least ``seconds``."""

    iri: str
    weight: int
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Canary:
    """``steps`` rise in weight. Rates are shares, 0 to 1; a criterion that is None is not asked.

    ``percentile`` is where latencies are judged. Another ``rollout`` (or another target) begins anew.
    """

    iri: str
    steps: tuple[CanaryStep, ...]
    minimum_requests: int = 100
    max_error_rate: float | None = None
    max_error_increase: float | None = None
    max_latency_seconds: float | None = None
    max_latency_ratio: float | None = None
    percentile: int = 95
    paused: bool = False
    rollout: str = ""
