"""How far a large configuration has come: a line a stage, for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Told", "patient"]

Told = Callable[[str], None]
"""Hears of each stage when it is over."""

_PATIENCE_SECONDS = 1.5


def patient(say: Callable[[str], None], seconds: float = _PATIENCE_SECONDS) -> Told:
    """Says how far things are, once they have taken so long that somebody may wonder; of small ones it says nothing."""
    started = time.perf_counter()

    def told(stage: str) -> None:
        taken = time.perf_counter() - started
        if taken >= seconds:
            say(f"{stage} ({taken:.1f} s)")

    return told
