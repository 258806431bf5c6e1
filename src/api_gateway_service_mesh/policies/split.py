"""Traffic split (``agw:TrafficSplit``): which of several upstreams takes a request.

Rules:

- Without a key the choice is a function of one random number in [0, 1).
- With a key it is weighted rendezvous hashing (C. Schindelhauer and G. Schomaker, SPAA 2005): every target draws
  ``-ln(u)/weight`` from a hash of key and target, and the least wins. A key's choice changes only when the weight of
  its target falls, or that of its new target rises, relative to the others. So when weights move, only the moved share
  changes side, however many targets there are.
- The weight of a canary that is being delivered stands in a cell that the control process writes; the others share what
  it leaves, in proportion to their own. A step needs no reload.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import log

from api_gateway_service_mesh.model import SplitTarget

from .key import key_hash as hash_of

__all__ = ["CanarySplitter", "Splitter"]

_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Splitter:
    """A weighted choice among a route's targets. Weights need not sum to 100; a weight of 0 gets nothing.

    Raises:
        ValueError: no target has a weight above 0.
    """

    __slots__ = ("_bounds", "_indices", "_last", "_seeds", "_weights", "targets")

    def __init__(self, targets: Sequence[SplitTarget]) -> None:
        self.targets = tuple(targets)
        self._indices = [index for index, target in enumerate(self.targets) if target.weight > 0]
        total = sum(target.weight for target in self.targets if target.weight > 0)
        if not total:
            raise ValueError("a traffic split needs a target with a weight above 0")
        self._bounds = [bound / total for bound in accumulate(self.targets[index].weight for index in self._indices)]
        self._last = len(self._indices) - 1
        self._seeds = [hash_of(target.iri) & _MASK for target in self.targets]
        self._weights = [float(target.weight) for target in self.targets]

    def choose(self, rand: float) -> int:
        """The index of the target that `rand`, in [0, 1), falls on."""
        return self._indices[min(bisect_right(self._bounds, rand), self._last)]

    def choose_sticky(self, key_hash: int) -> int:
        """The index of the target of this key: see the module for when it changes."""
        return _rendezvous(key_hash, self._seeds, self._weights)

    def weight(self, index: int) -> float:
        """Per cent of the requests that a target gets now."""
        return 100.0 * self._weights[index] / sum(self._weights)

    def __repr__(self) -> str:
        shown = " ".join(f"{target.upstream}={target.weight}" for target in self.targets)
        return f"<Splitter {shown}>"


class CanarySplitter(Splitter):
    """A choice among targets of which one is a canary whose weight, per cent, is what the cell says now."""

    __slots__ = ("_canary", "_cell", "_view")

    def __init__(self, targets: Sequence[SplitTarget], view: memoryview[float], cell: int) -> None:
        super().__init__(targets)
        self._canary = next(index for index, target in enumerate(self.targets) if target.canary is not None)
        self._view = view
        self._cell = cell

    def choose(self, rand: float) -> int:
        """The index of the target that `rand`, in [0, 1), falls on."""
        share = self._view[self._cell] / 100.0
        if rand < share:
            return self._canary
        return super().choose((rand - share) / (1.0 - share))

    def choose_sticky(self, key_hash: int) -> int:
        """The index of the target of this key."""
        return _rendezvous(key_hash, self._seeds, self._now())

    def weight(self, index: int) -> float:
        """Per cent of the requests that a target gets now."""
        return self._now()[index]

    def _now(self) -> list[float]:
        weight = self._view[self._cell]
        left = (100.0 - weight) / sum(self._weights)
        now = [left * own for own in self._weights]
        now[self._canary] = weight
        return now

    def __repr__(self) -> str:
        shown = " ".join(f"{target.upstream}={w:g}" for target, w in zip(self.targets, self._now(), strict=True))
        return f"<CanarySplitter {shown}>"


def _rendezvous(key_hash: int, seeds: list[int], weights: list[float]) -> int:
    best, chosen = float("inf"), 0
    for index, weight in enumerate(weights):
        if weight > 0.0:
            score = -log(_unit(key_hash ^ seeds[index])) / weight
            if score < best:
                best, chosen = score, index
    return chosen


def _unit(mixed: int) -> float:
    """A number in (0, 1], evenly spread: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    mixed &= _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return (((mixed ^ (mixed >> 31)) >> 11) + 1) / 0x20_0000_0000_0000
