"""Caches as the control process sees them: what they keep, and what is purged.

A purge is a mark in the cells that all workers look at (`policies.cache_store`), so it holds at once, everywhere, and
nobody has to be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.model import Cache
from api_gateway_service_mesh.policies.cache_store import CacheMarks
from api_gateway_service_mesh.proxy.cache_key import url_of
from api_gateway_service_mesh.telemetry import Family, Kind, Sample
from api_gateway_service_mesh.vocabulary import AGW, XSD

if TYPE_CHECKING:
    from .live import Live

__all__ = ["Purge", "cache_families", "cache_triples", "purge"]


_STORE_DEEDS = (
    (AGW.cacheStoreHitTotal, "hit"),
    (AGW.cacheStoreMissTotal, "miss"),
    (AGW.cacheStoreUnusableTotal, "unusable"),
    (AGW.cacheStoreFailedTotal, "failed"),
    (AGW.cacheStoreWrittenTotal, "written"),
    (AGW.cacheStoreRefusedTotal, "refused"),
)


@dataclass(frozen=True, slots=True)
class Purge:
    """What is not to be used any more: the answers of ``urls``, those with one of ``tags``, or (``everything``) all;
    of the cache with the IRI ``cache``, or of every one."""

    urls: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    everything: bool = False
    cache: str | None = None


def purge(live: Live, wanted: Purge) -> tuple[Cache, ...]:
    """Do it, for all workers of this gateway; the caches concerned.

    Raises:
        ClientError: nothing is named, a URL is none, or there is no such cache.
    """
    if not (wanted.urls or wanted.tags or wanted.everything):
        raise ClientError("nothing to purge is named", remedy="name URLs, tags, or everything")
    for url in wanted.urls:
        scheme, found, rest = url.partition("://")
        if not found or scheme.lower() not in ("http", "https") or "/" not in rest[1:]:
            raise ClientError(f"{url!r} is no whole URL", remedy="write it as clients do: http://shop.example/list")
    caches = [cache for cache, _, _ in live.caches() if wanted.cache in (None, cache.iri)]
    if not caches:
        named = "the configuration in force has no cache" if wanted.cache is None else f"no cache is <{wanted.cache}>"
        raise ClientError(named)
    at = monotonic()
    for cache in caches:
        marks = CacheMarks(live.cells.view, live.slots["cache_marks", cache.iri])
        if wanted.everything:
            marks.purge_all(at)
        for url in wanted.urls:
            marks.purge_url(url_of(url), at)
        for tag in wanted.tags:
            marks.purge_tag(tag.encode("utf-8"), at)
    return tuple(caches)


def cache_triples(live: Live) -> Iterator[tuple[str, str, str]]:
    """How much is kept."""
    for cache, entries, size in live.caches():
        yield cache.iri, AGW.cacheEntries, f'"{entries}"^^<{XSD.integer}>'
        yield cache.iri, AGW.cacheUsedBytes, f'"{size}"^^<{XSD.integer}>'
    for cache, counts in live.cache_stores():
        for (term, _), count in zip(_STORE_DEEDS, counts, strict=False):
            yield cache.iri, term, f'"{count}"^^<{XSD.integer}>'


def cache_families(live: Live) -> Iterator[Family]:
    """The same as metrics."""
    found = list(live.caches())
    if found:
        entries = [Sample(count, (("cache", cache.iri),)) for cache, count, _ in found]
        yield Family("agw_cache_entries", "Answers that a cache keeps in memory.", Kind.GAUGE, entries)
        sizes = [Sample(size, (("cache", cache.iri),)) for cache, _, size in found]
        yield Family("agw_cache_used_bytes", "Bytes that they take.", Kind.GAUGE, sizes)
    shared = [
        Sample(count, (("cache", cache.iri), ("result", result)))
        for cache, counts in live.cache_stores()
        for (_, result), count in zip(_STORE_DEEDS, counts, strict=False)
    ]
    if shared:
        yield Family("agw_cache_store", "What came of a cache's store that gateways share.", Kind.COUNTER, shared)
