"""Where a worker keeps answers, and how all workers learn at once that some are not to be used any more.

*Marks* are cells that all processes share: for all of a cache, for each URL and for each tag (by hash) the time of the
last purge. What was asked for before its mark was set is not used, in whichever worker it lies; nobody has to be told,
and an answer that was under way while it was purged is not stored into the future.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from zlib import crc32

from .cache import Stored
from .cache_fields import Lines

__all__ = [
    "CACHE_CELLS", "MARK_CELLS", "OF_ALL", "OF_TAG", "OF_URL", "STORE_FAILED", "STORE_HIT", "STORE_MISS",
    "STORE_REFUSED", "STORE_UNUSABLE", "STORE_WRITTEN", "CacheMarks", "MemoryCache", "MemoryCaches", "read_cache",
]  # fmt: skip

OF_ALL: Final = "all"
OF_URL: Final = "url"
OF_TAG: Final = "tag"
STORE_HIT, STORE_MISS, STORE_UNUSABLE, STORE_FAILED, STORE_WRITTEN, STORE_REFUSED = range(6)
"""What is counted (`policies.event`) of a store that several gateways share."""

_URLS: Final = 16384
_TAGS: Final = 4096
MARK_CELLS: Final = 1 + _URLS + _TAGS
"""Cells of the marks of a cache: one for all of it, then those of URLs, then those of tags."""
CACHE_CELLS: Final = 8
"""Cells of one worker's column: entries, bytes."""
_VARIANTS: Final = 32
"""Answers kept of one URL that vary by request fields: the least recent go."""


class CacheMarks:
    """The marks of one cache."""

    __slots__ = ("_base", "_view")

    def __init__(self, view: memoryview[float], base: int) -> None:
        self._view = view
        self._base = base

    def lies_where(self, other: CacheMarks) -> bool:
        """Whether `other` are the same marks."""
        return self._view is other._view and self._base == other._base

    def holds(self, entry: Stored) -> bool:
        """Whether `entry` was not purged since its request was made."""
        view, base, born = self._view, self._base, entry.born
        if view[base] >= born or view[base + 1 + crc32(entry.url) % _URLS] >= born:
            return False
        tags = entry.tags
        return not tags or all(view[base + 1 + _URLS + crc32(tag) % _TAGS] < born for tag in tags)

    def purge_all(self, at: float) -> None:
        """Nothing asked for up to `at` is used any more."""
        self._set(0, at)

    def purge_url(self, url: bytes, at: float) -> None:
        """The same of a URL in normal form (and of the few that share its mark)."""
        self.purge_hash(OF_URL, crc32(url), at)

    def purge_tag(self, tag: bytes, at: float) -> None:
        """The same of a tag."""
        self.purge_hash(OF_TAG, crc32(tag), at)

    def purge_hash(self, kind: str, hashed: int, at: float) -> None:
        """The same of what has this hash (CRC-32), as another gateway tells of it: `OF_URL`, `OF_TAG` or `OF_ALL`."""
        if kind == OF_URL:
            self._set(1 + hashed % _URLS, at)
        elif kind == OF_TAG:
            self._set(1 + _URLS + hashed % _TAGS, at)
        elif kind == OF_ALL:
            self._set(0, at)

    def _set(self, place: int, at: float) -> None:
        # Whoever sets it at the same time sets it to the same, within microseconds.
        if self._view[self._base + place] < at:
            self._view[self._base + place] = at


class MemoryCache:
    """The answers that one worker holds of one cache: the least recently used go when it is full.

    Args:
        most_bytes: what it may hold; bodies, header lines and what goes with them.
        base: the worker's column of gauges.
    """

    __slots__ = ("_base", "_bytes", "_entries", "_view", "count", "evicted", "most_bytes")

    def __init__(self, most_bytes: int, view: memoryview[float], base: int) -> None:
        self.most_bytes = most_bytes
        self._entries: OrderedDict[bytes, list[Stored]] = OrderedDict()
        self._bytes = 0
        self.count = 0
        self.evicted = 0
        """Entries given up for want of room so far."""
        self._view = view
        self._base = base
        self._tell()

    def move(self, view: memoryview[float], base: int, most_bytes: int) -> None:
        """Tell elsewhere from now on, and hold as much as this."""
        self._view, self._base, self.most_bytes = view, base, most_bytes
        self._shrink()
        self._tell()

    def find(self, key: bytes, request: Lines | None, marks: CacheMarks) -> tuple[Stored | None, bool]:
        """What is kept for a request, the most recent first; and whether there is something for the URL at all.
        `request` None: its fields are not read yet; the answer is (None, True) when they have to be."""
        variants = self._entries.get(key)
        if variants is None:
            return None, False
        self._entries.move_to_end(key)
        for entry in variants:
            if not marks.holds(entry):
                self._drop(key, entry)
                return self.find(key, request, marks)
            if not entry.vary:
                return entry, True
            if request is None:
                return None, True
            if entry.matches(request):
                return entry, True
        return None, True

    def put(self, key: bytes, entry: Stored) -> None:
        """Keep `entry`, in the place of the one for the same requests."""
        variants = self._entries.get(key)
        if variants is None:
            variants = self._entries[key] = []
            self._bytes += len(key)
        for old in variants:
            if old.vary == entry.vary:
                self._forget(old, variants)
                break
        variants.insert(0, entry)
        self.count += 1
        self._bytes += entry.size
        while len(variants) > _VARIANTS:
            self._forget(variants[-1], variants)
            self.evicted += 1
        self._entries.move_to_end(key)
        self._shrink()
        self._tell()

    def drop(self, key: bytes, entry: Stored) -> None:
        """Keep `entry` no longer."""
        variants = self._entries.get(key)
        if variants is not None and entry in variants:
            self._drop(key, entry)

    def _drop(self, key: bytes, entry: Stored) -> None:
        variants = self._entries[key]
        self._forget(entry, variants)
        if not variants:
            del self._entries[key]
            self._bytes -= len(key)
        self._tell()

    def _forget(self, entry: Stored, variants: list[Stored]) -> None:
        variants.remove(entry)
        self.count -= 1
        self._bytes -= entry.size

    def _shrink(self) -> None:
        while self._bytes > self.most_bytes and self._entries:
            key, variants = self._entries.popitem(last=False)
            self._bytes -= len(key)
            for entry in variants:
                self.count -= 1
                self._bytes -= entry.size
                self.evicted += 1

    def _tell(self) -> None:
        self._view[self._base] = float(self.count)
        self._view[self._base + 1] = float(self._bytes)

    def __repr__(self) -> str:
        return f"<MemoryCache entries={self.count} bytes={self._bytes}/{self.most_bytes}>"


class MemoryCaches:
    """The memories of one worker, by the IRI of the cache: they live over reloads."""

    __slots__ = ("_caches",)

    def __init__(self) -> None:
        self._caches: dict[str, MemoryCache] = {}

    def of(self, iri: str, most_bytes: int, view: memoryview[float], base: int) -> MemoryCache:
        """That of `iri`, made when it is first asked for."""
        found = self._caches.get(iri)
        if found is None:
            found = self._caches[iri] = MemoryCache(most_bytes, view, base)
        else:
            found.move(view, base, most_bytes)
        return found

    def adopt(self, wanted: Iterable[str]) -> None:
        """Let go of those that a new table does not use any more."""
        if self._caches:
            keep = set(wanted)
            self._caches = {iri: cache for iri, cache in self._caches.items() if iri in keep}


def read_cache(view: memoryview[float], base: int, workers: int) -> tuple[int, int]:
    """Entries and bytes, over all workers."""
    columns = range(base, base + workers * CACHE_CELLS, CACHE_CELLS)
    return int(sum(view[at] for at in columns)), int(sum(view[at + 1] for at in columns))
