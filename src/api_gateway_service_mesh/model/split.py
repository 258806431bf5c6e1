"""A share of a route's traffic (``agw:TrafficSplit``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SplitTarget"]


@dataclass(frozen=True, slots=True)
class SplitTarget:
    """``weight`` per cent of the route's requests go to ``upstream``; a route's weights sum to 100."""

    iri: str
    upstream: str
    weight: int
