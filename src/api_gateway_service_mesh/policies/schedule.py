"""In which order weighted endpoints take turns, made once so that a turn costs nothing.

A `schedule` is indexed by a position that only grows, modulo its length. Small ones are the smooth weighted round robin
of nginx: each endpoint gains its weight, the richest is next and pays all that was gained; weights 5, 1, 1 give
a a b a c a a, never five in a row, and shares are exact in each round. Where that would take too long to make, a turn
is drawn by the golden ratio's multiples, which fill the unit interval more evenly than any other sequence of one
parameter; shares are then right within O(log n / n).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import gcd, sqrt
from typing import Protocol

__all__ = ["Schedule", "Spread", "schedule"]

_WORK = 65_536
_GOLDEN = (sqrt(5.0) - 1.0) / 2.0


class Schedule(Protocol):
    """Turns by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> int: ...


class Spread:
    """Turns drawn by the golden ratio."""

    __slots__ = ("_members", "_total", "_upto")

    def __init__(self, members: Sequence[int], weights: Sequence[int]) -> None:
        self._members = members
        self._upto = list(accumulate(weights))
        self._total = self._upto[-1]

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, position: int) -> int:
        return self._members[bisect_right(self._upto, (position * _GOLDEN % 1.0) * self._total)]


def schedule(members: Sequence[int], weights: Sequence[int]) -> Schedule:
    """Turns of `members` in proportion to `weights` (all above 0)."""
    divisor = gcd(*weights)
    shares = [weight // divisor for weight in weights]
    total = sum(shares)
    if total == len(shares):
        return list(members)
    if total * len(shares) > _WORK:
        return Spread(members, shares)
    current = [0] * len(shares)
    turns: list[int] = []
    for _ in range(total):
        best = 0
        for place, share in enumerate(shares):
            current[place] += share
            if current[place] > current[best]:
                best = place
        current[best] -= total
        turns.append(members[best])
    return turns
