"""The memory: bounded whatever is put there, and forgetful at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.cache import Stored
from api_gateway_service_mesh.policies.cache_store import (
    CACHE_CELLS,
    MARK_CELLS,
    CacheMarks,
    MemoryCache,
    MemoryCaches,
    read_cache,
)


def cells(count: int) -> memoryview[float]:
    return memoryview(bytearray(8 * count)).cast("d")


def entry(size: int = 0, born: float = 1.0, url: bytes = b"u", vary: bytes = b"", *tags: bytes) -> Stored:
    made = Stored(200, b"", b"", b"")
    made.fill(b"x" * size)
    made.born, made.url, made.tags = born, url, tags
    made.vary = ((b"a", vary),) if vary else ()
    return made


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000), st.binary(max_size=1)), max_size=60))
def test_it_never_holds_more_than_it_may(puts: list[tuple[int, int, bytes]]) -> None:
    view, marks = cells(CACHE_CELLS), CacheMarks(cells(MARK_CELLS), 0)
    memory = MemoryCache(8000, view, 0)
    for key, size, vary in puts:
        memory.put(b"%d" % key, entry(size, vary=vary))
        entries, held = read_cache(view, 0, 1)
        assert held <= 8000
        assert entries == memory.count
    for key in range(10):
        memory.find(b"%d" % key, None, marks)
    marks.purge_all(2.0)
    for key in range(10):
        assert memory.find(b"%d" % key, None, marks) == (None, False)
    assert read_cache(view, 0, 1) == (0, 0)


def test_the_least_recently_used_goes() -> None:
    memory, marks = MemoryCache(4000, cells(CACHE_CELLS), 0), CacheMarks(cells(MARK_CELLS), 0)
    for key in (b"a", b"b"):
        memory.put(key, entry(1200))
    assert memory.find(b"a", None, marks)[0] is not None
    memory.put(b"c", entry(1200))
    assert [memory.find(key, None, marks)[0] is not None for key in (b"a", b"b", b"c")] == [True, False, True]
    assert memory.evicted == 1


@pytest.mark.parametrize("way", ["url", "tag", "all"])
def test_marks(way: str) -> None:
    marks = CacheMarks(cells(MARK_CELLS), 0)
    old, new = entry(0, 1.0, b"u", b"", b"t"), entry(0, 3.0, b"u", b"", b"t")
    assert marks.holds(old)
    if way == "url":
        marks.purge_url(b"u", 2.0)
    elif way == "tag":
        marks.purge_tag(b"t", 2.0)
    else:
        marks.purge_all(2.0)
        marks.purge_all(1.0)
    assert not marks.holds(old)
    assert marks.holds(new)
    assert marks.holds(entry(0, 1.0, b"another", b"", b"another")) is (way != "all")


def test_of_what_varies_each_has_its_own() -> None:
    memory, marks = MemoryCache(100_000, cells(CACHE_CELLS), 0), CacheMarks(cells(MARK_CELLS), 0)
    assert memory.find(b"k", None, marks) == (None, False)
    memory.put(b"k", entry(vary=b"one"))
    assert memory.find(b"k", None, marks) == (None, True)
    for number in range(40):
        memory.put(b"k", entry(vary=b"%d" % number))
    assert memory.count == 32
    same = entry(vary=b"39")
    memory.put(b"k", same)
    assert memory.count == 32
    memory.drop(b"k", same)
    memory.drop(b"k", same)
    assert memory.count == 31


def test_memories_live_as_long_as_they_are_wanted() -> None:
    caches, view = MemoryCaches(), cells(2 * CACHE_CELLS)
    first = caches.of("urn:a", 5000, view, 0)
    first.put(b"k", entry(1000))
    assert caches.of("urn:a", 100, view, CACHE_CELLS) is first
    assert read_cache(view, CACHE_CELLS, 1) == (0, 0)
    caches.adopt(["urn:a"])
    assert caches.of("urn:a", 100, view, 0) is first
    caches.adopt([])
    assert caches.of("urn:a", 100, view, 0) is not first
