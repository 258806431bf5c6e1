"""Sticky sessions: which endpoint a client was at, as a token that tells nobody else.

A token is a keyed hash (BLAKE2b) of the endpoint's IRI: it holds no address, cannot be made for another endpoint
without the key, and does not change when endpoints come and go. The key is made of a secret that several gateways may
share; without one it lies in the balancer's cells, where all workers find it: it is drawn once, when a gateway starts,
so that sessions end with it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from struct import pack

from .lock import NO_LOCK, Lock

__all__ = ["STICKY_CELLS", "StickyTokens", "shared_key", "sticky_key"]

STICKY_CELLS = 8
_PARTS = 5  # of 52 bits each: 260 bits
_PART = 1 << 52
TOKEN_BYTES = 12


def sticky_key(view: memoryview[float], base: int, random_below: Callable[[int], int], lock: Lock = NO_LOCK) -> bytes:
    """The key in a balancer's cells, drawn if there is none. `random_below(n)`: a secret number from 0 to n - 1."""
    lock.acquire()
    try:
        parts = view[base : base + _PARTS]
        if not all(parts):
            for cell in range(base, base + _PARTS):
                view[cell] = float(1 + random_below(_PART - 1))
        return pack(f"<{_PARTS}d", *view[base : base + _PARTS])
    finally:
        lock.release()


def shared_key(secret: str) -> bytes:
    """The key made of `secret`, the same in all gateways that know it; good for nothing else."""
    return blake2b(secret.encode("utf-8", "surrogateescape"), digest_size=32, person=b"agw sticky").digest()


class StickyTokens:
    """The tokens of endpoints, by their index, and back."""

    __slots__ = ("_index", "tokens")

    def __init__(self, key: bytes, endpoints: Sequence[str]) -> None:
        self.tokens = tuple(
            urlsafe_b64encode(blake2b(iri.encode(), key=key, digest_size=TOKEN_BYTES).digest()) for iri in endpoints
        )
        self._index = {token.decode("ascii"): index for index, token in enumerate(self.tokens)}

    def index(self, token: str | None) -> int:
        """The endpoint of a token; -1 when it is none of ours, or the endpoint is gone."""
        return self._index.get(token, -1) if token is not None else -1
