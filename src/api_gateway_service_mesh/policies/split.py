"""Traffic split (``agw:TrafficSplit``): which of several upstreams takes a request.

The choice is a function of one number in [0, 1): a random one, or one made of the request's key where a caller has to
stay with one version. Targets keep the order of the route, so that raising the canary's weight moves callers to it and
none away from it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from api_gateway_service_mesh.model import SplitTarget

from .key import unit_interval

__all__ = ["Splitter"]


class Splitter:
    """A weighted choice among a route's targets. Weights need not sum to 100; a weight of 0 gets nothing.

    Raises:
        ValueError: no target has a weight above 0.
    """

    __slots__ = ("_bounds", "_indices", "_last", "targets")

    def __init__(self, targets: Sequence[SplitTarget]) -> None:
        self.targets = tuple(targets)
        self._indices = [index for index, target in enumerate(self.targets) if target.weight > 0]
        total = sum(target.weight for target in self.targets if target.weight > 0)
        if not total:
            raise ValueError("a traffic split needs a target with a weight above 0")
        self._bounds = [bound / total for bound in accumulate(self.targets[index].weight for index in self._indices)]
        self._last = len(self._indices) - 1

    def choose(self, rand: float) -> int:
        """The index of the target that `rand`, in [0, 1), falls on."""
        return self._indices[min(bisect_right(self._bounds, rand), self._last)]

    def choose_sticky(self, key_hash: int) -> int:
        """The index of the target of this key: always the same while the weights stay."""
        return self.choose(unit_interval(key_hash))

    def __repr__(self) -> str:
        shown = " ".join(f"{target.upstream}={target.weight}" for target in self.targets)
        return f"<Splitter {shown}>"
