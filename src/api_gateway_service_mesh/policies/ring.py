"""The ring: a hash table in which a key belongs to the next point clockwise.

Points are named by the endpoint's IRI, so an endpoint that moves to another address keeps its keys; endpoints that
share an IRI are told apart by their order. Adding one of N endpoints moves about 1/N of the keys, all of them to the
new one (Karger et al., STOC 1997).

A ring is made in steps of less than a millisecond each, between which a thread can give way: the points of an endpoint
come from one extendable hash (SHAKE128, FIPS 202), and are sorted arc by arc.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from hashlib import shake_128
from struct import unpack

__all__ = ["POINTS", "Ring", "named", "ring_of"]

POINTS = 160
"""Ring points of an endpoint of weight 1; shares then differ by about 1/sqrt(160), 8 per cent."""

MAX_RING = 65_536
"""Bound on the points of a ring; above it points are dealt out in proportion, at least one each."""

_ARCS = 256
_ARC_SHIFT = 56
_WHOLE = (1 << 64) - 1
_PLACES = (1 << 20) - 1
"""The low bits of a point say whose it is: what is left of it is still much more than points on the ring."""


class Ring:
    """Owners are places in the sequence it was made of."""

    __slots__ = ("_ring",)

    def __init__(self, endpoints: Sequence[tuple[str, int]]) -> None:
        per_weight = min(float(POINTS), MAX_RING / max(1, sum(weight for _, weight in endpoints)))
        arcs: list[list[int]] = [[] for _ in range(_ARCS)]
        for place, (name, weight) in enumerate(endpoints):
            points = max(1, round(weight * per_weight))
            drawn = shake_128(name.encode("utf-8", "surrogatepass")).digest(8 * points)
            for point in unpack(f"<{points}Q", drawn):
                arcs[point >> _ARC_SHIFT].append(point & ~_PLACES | place)
        self._ring: list[int] = []
        for arc in arcs:
            arc.sort()
            self._ring.extend(arc)

    def owner(self, key_hash: int) -> int:
        """Whose the key is."""
        ring = self._ring
        return ring[bisect_right(ring, key_hash & _WHOLE) % len(ring)] & _PLACES

    def owner_of(self, key_hash: int, places: frozenset[int]) -> int:
        """Whose it is among `places` (not empty): the first of them clockwise."""
        ring = self._ring
        start = bisect_right(ring, key_hash & _WHOLE)
        count = len(ring)
        return next(owner for step in range(count) if (owner := ring[(start + step) % count] & _PLACES) in places)


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
