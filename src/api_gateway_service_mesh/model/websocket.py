"""Which WebSockets a route takes (``agw:WebSocketPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WebSocketBounds"]


@dataclass(frozen=True, slots=True)
class WebSocketBounds:
    """``maximum``: open at once, over all workers; ``idle_seconds``: without a byte from either side; ``age_seconds``:
    whatever goes through. None: no such bound."""

    iri: str
    allowed: bool = True
    maximum: int | None = None
    idle_seconds: float | None = None
    age_seconds: float | None = None
