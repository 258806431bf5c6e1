""" "Did you mean": the nearest right name for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]

_CUTOFF = 0.6


def nearest(wrong: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `wrong` (letter case aside), if any is like it at all."""
    by_folded: dict[str, str] = {}
    for candidate in sorted(candidates):
        by_folded.setdefault(candidate.casefold(), candidate)
    folded = wrong.casefold()
    if folded in by_folded:
        return by_folded[folded]
    found = difflib.get_close_matches(folded, sorted(by_folded), n=1, cutoff=_CUTOFF)
    return by_folded[found[0]] if found else None
