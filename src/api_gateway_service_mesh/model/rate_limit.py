"""A token bucket (``agw:RateLimiter``)."""

from __future__ import annotations

from dataclasses import dataclass

from .key import RequestKey

__all__ = ["RateLimit"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``requests_per_second`` tokens drip into a bucket of ``burst``; ``key`` None: one bucket for all callers."""

    iri: str
    requests_per_second: float
    burst: int
    key: RequestKey | None = None
