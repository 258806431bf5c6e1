"""How many requests may be under way at once, found out while serving (``agw:AdaptiveConcurrency``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AdaptiveConcurrency", "RequestPriority"]


class RequestPriority(StrEnum):
    """``agw:requestPriority``: who is let in when not everybody can be."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


@dataclass(frozen=True, slots=True)
class AdaptiveConcurrency:
    """``tolerance``: how many times the latency without a queue is taken for still well; ``baseline_seconds``: how
    often the latency without a queue is measured anew."""

    iri: str
    minimum: int = 4
    maximum: int = 1000
    tolerance: float = 1.5
    baseline_seconds: float = 30.0
