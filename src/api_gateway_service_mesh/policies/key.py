"""Keys of policies (``agw:limitKey``, ``agw:hashKey``) as 64-bit integers.

The hash must be the same in all workers and after a restart, which rules out ``hash()``; and nobody may find a second
key with the hash of a victim's, to use up the victim's tokens, which rules out checksums.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

__all__ = ["key_hash", "unit_interval"]

_INT64 = Struct("<q").unpack


def key_hash(key: str | bytes) -> int:
    """A signed 64-bit hash of `key` (BLAKE2b). Equal text gives equal hashes in every process."""
    data = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    hashed: int = _INT64(blake2b(data, digest_size=8).digest())[0]
    return hashed


def unit_interval(hashed: int) -> float:
    """A hash as a number in [0, 1): what stands in for a random number where a choice has to be sticky."""
    return ((hashed >> 11) & 0x1F_FFFF_FFFF_FFFF) / 0x20_0000_0000_0000
