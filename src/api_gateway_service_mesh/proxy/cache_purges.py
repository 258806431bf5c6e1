"""Purges of a cache that several gateways share: a log in their store (a Redis stream), which everyone reads.

- Who purges something marks it in the gateway's own cells, which all its workers look at, and appends it to the log.
  Every worker of every gateway reads on `TICK_SECONDS` after it has read, and marks the same: so a purge holds for what
  lies in memory elsewhere as well, and for what is in the store.
- Times are those of the store's clock: what was asked for before the log's entry was made is not used.
- With each answer stands how far its gateway had read when it asked for it. Where the log does not go back so far, the
  answer is not used, since nobody can know whether it was purged: a log that is lost, or cut, loses answers and never a
  purge.
- Nothing is taken from the store before the log was read to its end. While the store is away nothing is read, and what
  lies in memory is used as it is; what was purged meanwhile holds with the first look afterwards.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic
from typing import Any, Final
from zlib import crc32

from api_gateway_service_mesh.policies.cache_store import OF_ALL, CacheMarks
from api_gateway_service_mesh.policies.cache_value import StoreClock

from .redis import SharedStore

__all__ = ["LOG_KEY", "TICK_SECONDS", "Position", "PurgeLog", "purge_log"]

LOG_KEY: Final = "agw:cache:purges"
TICK_SECONDS: Final = 0.25
_KEPT: Final = 50000
"""Purges that the log holds, about."""
_AT_ONCE: Final = 512
_UNSENT: Final = 4096
_READ: Final = """
local time = redis.call('TIME')
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if #first == 0 then
  first = {{redis.call('XADD', KEYS[1], '*', 'b', '1'), {}}}
end
return {time[1], time[2], first[1][1], redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])}
"""
_Purge = tuple[str, str, str]
Position = tuple[int, int]
"""The name of an entry of the log: milliseconds, and a number in them."""


class PurgeLog:
    """The log in one store, as one process reads and writes it.

    Args:
        reads: False for who only writes.
    """

    __slots__ = (
        "_again", "_at", "_closed", "_first", "_marks", "_reading", "_reads", "_script", "_sending", "_store",
        "_unsent", "_wanted", "clock", "failed", "ready", "seen",
    )  # fmt: skip

    def __init__(self, store: SharedStore, *, reads: bool = True) -> None:
        self._store = store
        self._script = store.learn(_READ)
        self._reads = reads
        self._marks: dict[str, CacheMarks] = {}
        self._unsent: deque[tuple[_Purge, Callable[[], None] | None]] = deque()
        self._sending = 0
        self._again: asyncio.TimerHandle | None = None
        self._at = (0, 0)
        self._first = (0, 0)
        self._reading = False
        self._closed = False
        self._wanted: list[Callable[[], None]] = []
        self.clock: StoreClock | None = None
        self.ready = False
        """Whether it was read to its end, and nothing has failed since."""
        self.failed = False
        """Whether reading it has failed: nobody should wait for it."""
        self.seen = 0
        """Purges read so far."""
        store.on_close.append(self.close)

    def watch(self, cache: str, marks: CacheMarks) -> None:
        """Mark what is purged of the cache with this IRI there, from now on; what was read before is read anew, for a
        cache that nobody has watched so far."""
        name = _name(cache)
        before = self._marks.get(name)
        self._marks[name] = marks
        if before is None or not before.lies_where(marks):
            self._at, self.ready = (0, 0), False
            if self._again is not None:
                self._again.cancel()
            self._tick()

    @property
    def position(self) -> Position:
        """How far it was read."""
        return self._at

    def reaches(self, position: Position) -> bool:
        """Whether it goes back to there."""
        return position >= self._first

    def when_ready(self, told: Callable[[], None]) -> None:
        """Call this once the log was read, or when that has failed."""
        self._wanted.append(told)

    def purged(self, cache: str, kind: str, what: bytes, done: Callable[[], None] | None = None) -> None:
        """Tell the other gateways; until they can be told, keep trying. `done` is called when they are."""
        purge = (_name(cache), kind, "0" if kind == OF_ALL else str(crc32(what)))
        if len(self._unsent) >= _UNSENT:
            names = dict.fromkeys(name for (name, _, _), _ in self._unsent)
            called = [called for _, called in self._unsent if called is not None]
            self._unsent.clear()
            self._unsent.extend(((name, OF_ALL, "0"), None) for name in names)
            for again in called:
                self._unsent.append(((purge[0], OF_ALL, "0"), again))
        self._unsent.append((purge, done))
        self._tell()

    def close(self) -> None:
        """Read and write no more."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        self._unlock()

    # -- telling

    def _tell(self) -> None:
        while self._unsent and not self._sending and not self._closed:
            purge, done = self._unsent.popleft()
            words = ("XADD", LOG_KEY, "MAXLEN", "~", _KEPT, "*", "c", purge[0], "k", purge[1], "h", purge[2])
            self._sending += 1
            if not self._store.send(words, self._told(purge, done)):
                self._sending -= 1
                self._unsent.appendleft((purge, done))
                self._later()
                return

    def _told(self, purge: _Purge, done: Callable[[], None] | None) -> Callable[[Any], None]:
        def told(answer: Any) -> None:
            self._sending -= 1
            if answer is None or isinstance(answer, Exception):
                self._unsent.appendleft((purge, done))
                self._later()
                return
            if done is not None:
                done()
            self._tell()

        return told

    # -- reading

    def _later(self) -> None:
        if self._again is None and not self._closed:
            self._again = self._store.loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._again = None
        if self._closed:
            return
        self._tell()
        if self._reads and not self._reading:
            self._reading = True
            before, start = monotonic(), self._at
            words = ("EVALSHA", self._script, 1, LOG_KEY, f"{start[0]}-{start[1] + 1}", _AT_ONCE)
            if not self._store.send(words, lambda answer: self._read(answer, before, start)):
                self._fail()

    def _fail(self) -> None:
        self._reading, self.ready, self.failed = False, False, True
        self._unlock()
        self._later()

    def _read(self, answer: Any, before: float, start: Position) -> None:
        try:
            seconds, micros, first, entries = answer
            clock = StoreClock(int(seconds) + int(micros) / 1e6, before, monotonic())
            found = [(_position(entry[0]), _fields(entry[1])) for entry in entries]
            self._first = _position(first)
        except (TypeError, ValueError):  # nothing came, or what another program keeps there
            self._fail()
            return
        self._reading = False
        clock = self.clock = clock if self.clock is None else self.clock.narrowed(clock)
        for position, told in found:
            marks = self._marks.get(told.get("c", ""))
            if marks is not None:
                self.seen += 1
                marks.purge_hash(told.get("k", ""), _hash(told), clock.own_no_earlier((position[0] + 1) / 1e3))
        if self._at == start:  # else somebody wants all of it anew
            if found:
                self._at = found[-1][0]
            if len(found) < _AT_ONCE:
                self.ready, self.failed = True, False
                self._unlock()
                self._later()
                return
        self._tick()

    def _unlock(self) -> None:
        wanted, self._wanted = self._wanted, []
        for told in wanted:
            told()


def purge_log(store: SharedStore) -> PurgeLog:
    """The log in `store`, as one worker reads it: one for all caches there."""
    if store.log is None:
        store.log = PurgeLog(store)
    found: PurgeLog = store.log
    return found


def _name(cache: str) -> str:
    return blake2b(cache.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _position(value: Any) -> Position:
    text = value.decode("ascii") if isinstance(value, bytes) else str(value)
    moment, _, number = text.partition("-")
    return int(moment), int(number)


def _fields(values: Any) -> dict[str, str]:
    texts = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def _hash(told: dict[str, str]) -> int:
    text = told.get("h", "")
    return int(text) if text.isdecimal() and len(text) <= 10 else 0
