"""A shared HTTP cache for the answers of routes (``agw:Cache``)."""

from __future__ import annotations

from dataclasses import dataclass

from .rate_limit import RedisStore

__all__ = ["Cache", "CachePurge"]


@dataclass(frozen=True, slots=True)
class CachePurge:
    """Answers that were stored before ``before`` (seconds since 1970) are not used any more: those of ``url``, those
    with ``tag``, or all when neither is there."""

    iri: str
    before: float
    url: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """``maximum_bytes`` is what all workers together may hold in memory, ``object_bytes`` the largest body that is
    stored. ``default_seconds``: how long an answer is fresh that does not say so itself; ``maximum_seconds``: how long
    any is at most. ``heuristic``: a tenth of the time since an answer was last modified, where nothing else says.
    ``stale_while_seconds`` and ``stale_error_seconds`` are those of RFC 5861 where an answer states none.
    ``keyed_fields``: request fields (lower case) that tell answers apart, whatever Vary says. ``collapse_seconds``: how
    long a request waits for the one before it that fetches the same; 0.0: it does not. ``store``: where answers
    are kept together with other gateways, behind each worker's memory; None: there alone."""

    iri: str
    maximum_bytes: int = 64 * 1024 * 1024
    object_bytes: int = 1024 * 1024
    default_seconds: float = 0.0
    maximum_seconds: float | None = None
    heuristic: bool = False
    stale_while_seconds: float = 0.0
    stale_error_seconds: float = 0.0
    keyed_fields: tuple[str, ...] = ()
    collapse_seconds: float = 5.0
    heeds_requests: bool = True
    shows_status: bool = True
    hides_tags: bool = True
    store: RedisStore | None = None
    purges: tuple[CachePurge, ...] = ()
