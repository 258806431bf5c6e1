"""The answers of a cache that gateways keep together, in Redis (``agw:sharedThrough``): the second level, behind each
worker's own memory.

Own memory comes first because an answer from there costs no way to anybody, and goes on while the store is away; the
store comes before the backend, so that what one gateway has fetched no other fetches again. No request waits for the
store longer than its timeout, and none fails by it: whatever it does is at worst a miss, which is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from api_gateway_service_mesh.model import Cache
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.policies.cache import Stored
from api_gateway_service_mesh.policies.cache_fields import Lines
from api_gateway_service_mesh.policies.cache_store import (
    STORE_FAILED,
    STORE_HIT,
    STORE_MISS,
    STORE_REFUSED,
    STORE_UNUSABLE,
    STORE_WRITTEN,
    CacheMarks,
)
from api_gateway_service_mesh.policies.cache_value import (
    OVERHEAD,
    decode,
    encode,
    encode_names,
    seconds_of_use,
    store_key,
    variant_key,
)

from .cache_purges import Position, purge_log
from .redis import SharedStore

__all__ = ["SharedAnswers"]

_UNWRITTEN_BYTES: Final = 8 * 1024 * 1024
"""Bytes that wait to be written at most; what does not fit is not written."""
_LEAST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 366 * 86400.0

Found = Callable[[Stored | None], None]


class SharedAnswers:
    """The second level of one cache, as one worker uses it.

    Args:
        prefix: what tells these answers from those of a cache that would keep others.
        most: the largest body.
    """

    def __init__(
        self, policy: Cache, store: SharedStore, marks: CacheMarks, counters: EventCounters, prefix: bytes, most: int
    ) -> None:
        self._iri = policy.iri
        self._store = store
        self._marks = marks
        self._counters = counters
        self._prefix = prefix
        self._most = most
        self._unwritten = 0
        self._log = purge_log(store)
        self._log.watch(policy.iri, marks)

    @property
    def position(self) -> Position | None:
        """How far purges are known; None: not yet, or not now."""
        return self._log.position if self._log.ready else None

    def find(self, key: bytes, request: Lines, found: Found) -> bool:
        """Look for what is kept under `key` for a request with these fields; `found` is called with it, or with None,
        within the store's timeout. False: there is nobody to ask, and nobody will be called."""
        log = self._log
        if self._store.away or (log.failed and not log.ready):
            self._counters.count(STORE_FAILED)
            return False
        _Search(self, key, request, found)
        return True

    def put(self, key: bytes, entry: Stored, position: Position | None) -> None:
        """Keep `entry` for as long as anybody may use it. `position`: how far purges were known when it was asked
        for."""
        clock, now = self._log.clock, monotonic()
        seconds = min(seconds_of_use(entry, now), _LONGEST_SECONDS)
        if position is None or clock is None or seconds < _LEAST_SECONDS or len(entry.payload) > self._most:
            return
        name = store_key(self._prefix, key)
        if entry.vary:
            self._write(name, encode_names(name, entry), seconds)
            name = variant_key(self._prefix, key, entry.vary)
        self._write(name, encode(name, entry, clock, position), seconds)

    def drop(self, key: bytes, entry: Stored) -> None:
        """Keep `entry` no longer."""
        name = variant_key(self._prefix, key, entry.vary) if entry.vary else store_key(self._prefix, key)
        self._store.send(("DEL", name), _ignored)

    def purged(self, kind: str, what: bytes) -> None:
        """Tell the other gateways."""
        self._log.purged(self._iri, kind, what)

    def _write(self, name: bytes, value: bytes, seconds: float) -> None:
        size = len(value)

        def written(answer: Any) -> None:
            self._unwritten -= size
            refused = answer is None or isinstance(answer, Exception)
            self._counters.count(STORE_REFUSED if refused else STORE_WRITTEN)

        if size > self._most + OVERHEAD or self._unwritten + size > _UNWRITTEN_BYTES:
            self._counters.count(STORE_REFUSED)
            return
        self._unwritten += size
        if not self._store.send(("SET", name, value, "PX", max(1, int(seconds * 1000))), written):
            self._unwritten -= size
            self._counters.count(STORE_REFUSED)

    def get(self, name: bytes, told: Callable[[Any], None]) -> bool:
        """Have the value with this name told, whatever it is; no more of it than an answer may have."""
        return self._store.send(("GETRANGE", name, 0, self._most + OVERHEAD), told)


class _Search:
    """One look into the store: at most two values, of which the first says by which fields answers vary."""

    __slots__ = ("_answers", "_found", "_key", "_name", "_request", "_timer", "_varied")

    def __init__(self, answers: SharedAnswers, key: bytes, request: Lines, found: Found) -> None:
        self._answers = answers
        self._key = key
        self._request = request
        self._found: Found | None = found
        self._name = store_key(answers._prefix, key)
        self._varied = False
        store = answers._store
        self._timer: asyncio.TimerHandle = store.loop.call_later(store.config.timeout_seconds, self._late)
        log = answers._log
        if log.ready:
            store.loop.call_soon(self._ask)  # whoever asks has to be waiting before it is told
        else:
            log.when_ready(self._ask)

    def _ask(self) -> None:
        if self._found is None:
            return
        if not self._answers._log.ready or not self._answers.get(self._name, self._told):
            self._end(None, STORE_FAILED)

    def _late(self) -> None:
        self._end(None, STORE_FAILED)

    def _told(self, answer: Any) -> None:
        if self._found is None:
            return
        answers = self._answers
        clock = answers._log.clock
        if clock is None or answer is None or isinstance(answer, Exception):
            self._end(None, STORE_FAILED)
            return
        if not answer:
            self._end(None, STORE_MISS)
            return
        value = None
        if isinstance(answer, bytes):
            value = decode(self._name, answer, self._request, clock, monotonic(), answers._most)
        if value is None:
            self._end(None, STORE_UNUSABLE)
        elif value.entry is None:
            if self._varied:
                self._end(None, STORE_UNUSABLE)
                return
            self._varied = True
            self._name = variant_key(answers._prefix, self._key, value.vary)
            self._ask()
        elif not answers._log.reaches(value.position) or not answers._marks.holds(value.entry):
            self._end(None, STORE_MISS)
        elif not value.entry.matches(self._request):
            self._end(None, STORE_UNUSABLE)
        else:
            self._end(value.entry, STORE_HIT)

    def _end(self, entry: Stored | None, deed: int) -> None:
        found, self._found = self._found, None
        if found is not None:
            self._timer.cancel()
            self._answers._counters.count(deed)
            found(entry)


def _ignored(_answer: Any) -> None:
    """What was to go is gone, or will be when its time is over."""
