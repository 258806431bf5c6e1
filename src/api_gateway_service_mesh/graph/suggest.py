""" "Did you mean": the nearest right name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]

_CUTOFF = 0.6


def nearest(wrong: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `wrong` (letter case, and whether it says maximum or max, aside), if any is like it."""
    by_folded: dict[str, str] = {}
    for candidate in sorted(candidates):
        by_folded.setdefault(_folded(candidate), candidate)
    folded = _folded(wrong)
    if folded in by_folded:
        return by_folded[folded]
    found = difflib.get_close_matches(folded, sorted(by_folded), n=1, cutoff=_CUTOFF)
    return by_folded[found[0]] if found else None


def _folded(name: str) -> str:
    return name.casefold().replace("maximum", "max").replace("minimum", "min")
