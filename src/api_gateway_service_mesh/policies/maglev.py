"""Maglev's table: a key finds its endpoint by one look-up, and shares are even to about one per cent.

Each endpoint has a permutation of the table's places, and they take turns in claiming the next free one (Eisenbud et
al., NSDI 2016, §3.4). Adding one of N endpoints moves about 1/N of the keys to it, and a few per cent between the
others: the price of even shares. A key whose endpoint is not available is hashed again, so that only such keys move,
and spread over all others.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache

from .key import key_hash as hash_of

__all__ = ["Maglev", "maglev_of"]

SMALL, LARGE = 16_381, 65_537
"""Sizes of the table (primes): 65,537 as in the paper above `MANY` endpoints, where 16,381 would be uneven."""
MANY = 160
_AGAIN = 8
_MASK = (1 << 64) - 1


class Maglev:
    """Owners are places in the sequence it was made of."""

    __slots__ = ("_size", "_table")

    def __init__(self, endpoints: Sequence[tuple[str, int]]) -> None:
        size = self._size = SMALL if len(endpoints) <= MANY else LARGE
        heaviest = max(weight for _, weight in endpoints)
        offsets = [(hash_of(f"offset {name}") & _MASK) % size for name, _ in endpoints]
        skips = [(hash_of(f"skip {name}") & _MASK) % (size - 1) + 1 for name, _ in endpoints]
        table = [-1] * size
        credit = [0.0] * len(endpoints)
        filled = 0
        while True:
            for place, (_, weight) in enumerate(endpoints):
                credit[place] += weight / heaviest
                if credit[place] < 1.0:
                    continue
                credit[place] -= 1.0
                spot, skip = offsets[place], skips[place]
                while table[spot] >= 0:
                    spot += skip
                    if spot >= size:
                        spot -= size
                table[spot] = place
                offsets[place] = spot
                filled += 1
                if filled == size:
                    self._table = array("i", table)
                    return

    def owner(self, key_hash: int) -> int:
        """Whose the key is."""
        return self._table[key_hash % self._size]

    def owner_of(self, key_hash: int, places: frozenset[int]) -> int:
        """Whose it is among `places` (not empty)."""
        table, size = self._table, self._size
        for _ in range(_AGAIN):
            owner = table[key_hash % size]
            if owner in places:
                return owner
            key_hash = (key_hash * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK
            key_hash ^= key_hash >> 29
        ordered = sorted(places)
        return ordered[key_hash % len(ordered)]


@lru_cache(maxsize=256)
def maglev_of(endpoints: tuple[tuple[str, int], ...]) -> Maglev:
    """The table of (name, weight) pairs; routes that share an upstream share it, and a reload finds it again."""
    return Maglev(endpoints)
