"""Copies of requests for a second service (``agw:TrafficMirroring``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mirror"]


@dataclass(frozen=True, slots=True)
class Mirror:
    """``percent`` of the requests are copied to ``upstream``: none with a body above ``body_bytes``, and at most
    ``concurrency`` at once in a worker."""

    iri: str
    upstream: str
    percent: float = 100.0
    body_bytes: int = 65536
    concurrency: int = 100
