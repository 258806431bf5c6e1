"""A run of cells as a list."""

from __future__ import annotations

from typing import cast

__all__ = ["row"]


def row(cells: memoryview[float]) -> list[float]:
    """The numbers in `cells`. ``tolist`` alone is declared to give integers, and compiled code would insist on them."""
    return cast(list[float], cells.tolist())
