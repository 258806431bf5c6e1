"""The ring: a hash table in which a key belongs to the next point clockwise.

Points are named by the endpoint's IRI, so an endpoint that moves to another address keeps its keys; endpoints that
share an IRI are told apart by their order. Adding one of N endpoints moves about 1/N of the keys, all of them to the
new one (Karger et al., STOC 1997).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from struct import Struct

__all__ = ["POINTS", "Ring", "named", "ring_of"]

POINTS = 160
"""Ring points of an endpoint of weight 1; shares then differ by about 1/sqrt(160), 8 per cent."""

MAX_RING = 65_536
"""Bound on the points of a ring; above it points are dealt out in proportion, at least one each."""


_BLOCK = 8
_unpack = Struct("<8q").unpack


def _points(name: str, block: int) -> tuple[int, ...]:
    """Eight points at a time: one hash is as long as eight are."""
    points: tuple[int, ...] = _unpack(blake2b(f"{name} {block}".encode("utf-8", "surrogatepass")).digest())
    return points


class Ring:
    """Owners are places in the sequence it was made of."""

    __slots__ = ("_owners", "_points")

    def __init__(self, endpoints: Sequence[tuple[str, int]]) -> None:
        per_weight = min(float(POINTS), MAX_RING / max(1, sum(weight for _, weight in endpoints)))
        ring: list[tuple[int, int]] = []
        for place, (name, weight) in enumerate(endpoints):
            points = max(1, round(weight * per_weight))
            drawn = (point for block in range(-(-points // _BLOCK)) for point in _points(name, block))
            ring.extend((point, place) for point in islice(drawn, points))
        ring.sort()
        self._points = [point for point, _ in ring]
        self._owners = [owner for _, owner in ring]

    def owner(self, key_hash: int) -> int:
        """Whose the key is."""
        owners = self._owners
        return owners[bisect_right(self._points, key_hash) % len(owners)]

    def owner_of(self, key_hash: int, places: frozenset[int]) -> int:
        """Whose it is among `places` (not empty): the first of them clockwise."""
        owners = self._owners
        start = bisect_right(self._points, key_hash)
        count = len(owners)
        return next(owner for step in range(count) if (owner := owners[(start + step) % count]) in places)


def named(endpoints: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """(IRI, weight) pairs with those of one IRI told apart."""
    seen: dict[str, int] = {}
    made: list[tuple[str, int]] = []
    for iri, weight in endpoints:
        nth = seen[iri] = seen.get(iri, -1) + 1
        made.append((f"{iri} {nth}", weight))
    return tuple(made)


@lru_cache(maxsize=256)
def ring_of(endpoints: tuple[tuple[str, int], ...]) -> Ring:
    """The ring of (name, weight) pairs; routes that share an upstream share it, and a reload finds it again."""
    return Ring(endpoints)
