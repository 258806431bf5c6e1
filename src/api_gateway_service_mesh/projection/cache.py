"""Which answers are kept (``agw:Cache``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api_gateway_service_mesh.model import Cache, CachePurge, RedisStore
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["CachePurgeRow", "CacheRow", "CacheValueRow", "caches"]


@dataclass(frozen=True, slots=True)
class CacheRow:
    """``cache.rq``."""

    route: str
    cache: str
    maximum_bytes: str | None
    object_bytes: str | None
    default_freshness: str | None
    maximum_freshness: str | None
    heuristic: str | None
    stale_while: str | None
    stale_error: str | None
    collapse: str | None
    heeds: str | None
    shows: str | None
    hides: str | None
    store: str | None


@dataclass(frozen=True, slots=True)
class CacheValueRow:
    """``cache_value.rq``."""

    cache: str
    property: str
    value: str


@dataclass(frozen=True, slots=True)
class CachePurgeRow:
    """``cache_purge.rq``."""

    cache: str
    purge: str
    before: str | None
    url: str | None
    tag: str | None


def caches(
    rows: Iterable[CacheRow],
    values: Iterable[CacheValueRow],
    purges: Iterable[CachePurgeRow],
    stores: Mapping[str, RedisStore],
    reading: Reading,
) -> Mapping[str, Cache]:
    """What is kept of each route's answers, by route IRI."""
    fields: dict[str, set[str]] = defaultdict(set)
    for stated in values:
        fields[stated.cache].add(stated.value.lower())
    gone: dict[str, dict[str, CachePurge]] = defaultdict(dict)
    for row in purges:
        before = _moment(row, reading)
        if before is not None:
            gone[row.cache].setdefault(row.purge, CachePurge(row.purge, before, row.url, row.tag))
    made: dict[str, Cache] = {}
    found: dict[str, Cache] = {}
    for row_ in rows:
        if row_.route not in found:
            iri = row_.cache
            if iri not in made:
                made[iri] = _cache(row_, tuple(sorted(fields[iri])), tuple(gone[iri].values()), stores, reading)
            found[row_.route] = made[iri]
    return found


def _cache(
    row: CacheRow,
    fields: tuple[str, ...],
    purges: tuple[CachePurge, ...],
    stores: Mapping[str, RedisStore],
    reading: Reading,
) -> Cache:
    iri, standard = row.cache, Cache(row.cache)
    return Cache(
        iri,
        reading.integer(iri, AGW.cacheBytes, row.maximum_bytes, standard.maximum_bytes),
        reading.integer(iri, AGW.cacheObjectBytes, row.object_bytes, standard.object_bytes),
        reading.seconds(iri, AGW.defaultFreshness, row.default_freshness, standard.default_seconds),
        reading.seconds(iri, AGW.maximumFreshness, row.maximum_freshness, standard.maximum_seconds),
        reading.boolean(iri, AGW.heuristicFreshness, row.heuristic, standard.heuristic),
        reading.seconds(iri, AGW.staleWhileRevalidate, row.stale_while, standard.stale_while_seconds),
        reading.seconds(iri, AGW.staleIfError, row.stale_error, standard.stale_error_seconds),
        fields,
        reading.seconds(iri, AGW.collapseTimeout, row.collapse, standard.collapse_seconds),
        reading.boolean(iri, AGW.heedsRequestDirectives, row.heeds, standard.heeds_requests),
        reading.boolean(iri, AGW.showsCacheStatus, row.shows, standard.shows_status),
        reading.boolean(iri, AGW.hidesCacheTags, row.hides, standard.hides_tags),
        reading.known(iri, AGW.sharedThrough, row.store, stores, "agw:RedisStore"),
        purges,
    )


def _moment(row: CachePurgeRow, reading: Reading) -> float | None:
    if row.before is None:
        return None
    try:
        moment = datetime.fromisoformat(row.before)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        reading.note(
            "invalid-value",
            f"{name_of(row.purge)}: agw:purgedBefore is {row.before!r}, which is no moment with a time zone",
            row.purge,
            AGW.purgedBefore,
            row.before,
            allowed='a moment such as "2027-01-31T00:00:00Z"',
        )
        return None
    return moment.timestamp()
