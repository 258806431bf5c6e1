"""A second attempt beside a slow first one (``agw:Hedging``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Hedging"]


@dataclass(frozen=True, slots=True)
class Hedging:
    """After ``delay_seconds`` without an answer the request is sent again, to another endpoint where there is one; the
    first answer below 500 wins. ``non_idempotent``: also requests that change something each time."""

    iri: str
    delay_seconds: float = 0.1
    non_idempotent: bool = False
