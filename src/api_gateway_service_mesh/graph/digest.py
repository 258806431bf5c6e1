"""The digest of a set of triples, kept so that a change of few triples costs little.

Each triple is hashed (SHA-256 of its line of N-Triples); the hashes lie in `_BUCKETS` sorted buckets by their first
bits, each bucket is hashed, and the digest is the hash of those. So two sets have the same digest exactly when they
have the same triples (as far as SHA-256 goes: nothing is added up, which could be forged), in whatever order they came,
and a triple more or less costs its bucket.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable

__all__ = ["TripleSetDigest"]

_BUCKETS = 2048
_SIZE = 32
_NOTHING = bytes(_SIZE)


class TripleSetDigest:
    """A set of lines and its digest (``hex``). Never changed: `changed` makes another one, which shares what it can."""

    __slots__ = ("_buckets", "_hashes", "hex")

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        sha256 = hashlib.sha256
        found: list[list[bytes]] = [[] for _ in range(_BUCKETS)]
        for line in lines:
            hashed = sha256(line).digest()
            found[hashed[0] << 3 | hashed[1] >> 5].append(hashed)
        self._keep([b"".join(sorted(set(bucket))) for bucket in found])

    def _keep(self, buckets: list[bytes], hashes: list[bytes] | None = None) -> None:
        self._buckets = buckets
        self._hashes = [_hashed(bucket) for bucket in buckets] if hashes is None else hashes
        self.hex = hashlib.sha256(b"".join(self._hashes)).hexdigest()

    def changed(self, removed: Iterable[bytes], added: Iterable[bytes]) -> TripleSetDigest:
        """The digest of this set without the lines `removed`, and then with those `added`."""
        buckets, hashes = self._buckets.copy(), self._hashes.copy()
        touched: dict[int, list[bytes]] = {}
        for lines, comes in ((removed, False), (added, True)):
            for line in lines:
                hashed = hashlib.sha256(line).digest()
                number = hashed[0] << 3 | hashed[1] >> 5
                held = touched.get(number)
                if held is None:
                    text = buckets[number]
                    held = touched[number] = [text[at : at + _SIZE] for at in range(0, len(text), _SIZE)]
                place = bisect_left(held, hashed)
                there = place < len(held) and held[place] == hashed
                if comes and not there:
                    held.insert(place, hashed)
                elif there and not comes:
                    del held[place]
        for number, held in touched.items():
            buckets[number] = b"".join(held)
            hashes[number] = _hashed(buckets[number])
        made = TripleSetDigest.__new__(TripleSetDigest)
        made._keep(buckets, hashes)
        return made


def _hashed(bucket: bytes) -> bytes:
    return hashlib.sha256(bucket).digest() if bucket else _NOTHING
