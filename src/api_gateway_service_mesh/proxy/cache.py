"""Caching as a stage: answers that are kept here are given without asking the backend (RFC 9111, a shared cache).

- What may be kept, and used, is decided in `policies.cache`; where it lies is in `policies.cache_store`.
- Only those get here whom every stage before has let through; what these stages say in answers is not kept.
- The first request for what is not there fetches it (`cache_turn.Fetch`). Who asks for the same meanwhile waits for it,
  for so long as the policy says; once it turns out that it will not be kept, each asks for itself.
- A URL whose answers could not be kept is remembered for `PASS_SECONDS`: nobody waits for those.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import Cache
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.policies.cache import Stored, Use, asked, in_304, not_modified, use, whole_lines
from api_gateway_service_mesh.policies.cache_fields import cut, one_range
from api_gateway_service_mesh.policies.cache_store import CACHE_CELLS, OF_URL, CacheMarks
from api_gateway_service_mesh.routing.cache import is_guarded

from .answer import AnswerHead, AnswerMarks, StatusLine
from .cache_answer import complete, kept_lines, named_urls
from .cache_front import TAGS, Invalidating, Storing
from .cache_key import CONDITIONS, UNKEYED, normal_url, route_mark, url_of, watched_fields
from .cache_refresh import Refresher
from .cache_shared import SharedAnswers
from .cache_turn import COLLAPSED, EVICTED, HIT, MISS, PASSED, STALE, STORED, CacheTurn, Fetch
from .forwarded import came_over_tls
from .problem import WAIT, Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["PASS_SECONDS", "RouteCache", "cache_gates"]

PASS_SECONDS: Final = 5.0
_REMEMBERED: Final = 4096
_MARKS: Final = AnswerMarks()
_HIT_LINE: Final = b"Cache-Status: agw; hit\r\n"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
#: Conditions that are for the backend alone to judge.
_PASSED_BY: Final = frozenset(("if-match", "if-unmodified-since", "if-range"))
_HEEDED: Final = frozenset(("cache-control", "pragma", "if-none-match", "if-modified-since", "range"))
_FORWARDED_HOST: Final = re.compile(rb"(?im)^x-forwarded-host: ([^\r\n]*)\r\n")
#: Not of what is kept: ages are told anew each time.
_UNKEPT: Final = frozenset((b"age",))


def cache_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose answers are cached."""
    route = handler.route
    if route.cache is None or route.redirect is not None or route.direct is not None:
        return []
    made = RouteCache(route.cache, handler, generation, core)
    handler.on_end = (*handler.on_end, made.ended)
    return [made.gate]


class RouteCache:
    """The cache as one route uses it, in one worker."""

    def __init__(self, policy: Cache, handler: RouteHandler, generation: Generation, core: Core) -> None:
        view, slots, iri = core.cells.view, generation.slots, policy.iri
        self.policy = policy
        self.guarded = is_guarded(handler.route)
        self.gate: Gate = self.ask
        self._core = core
        self._refresher = Refresher(self, handler, generation, core)
        base = slots["cache", iri] + core.worker * CACHE_CELLS
        self._memory = core.caches.of(iri, policy.maximum_bytes // core.workers, view, base)
        self.bound = min(policy.object_bytes, self._memory.most_bytes // 2)
        """The size of a body up to which it is kept."""
        self._marks = CacheMarks(view, slots["cache_marks", iri])
        self._counters = EventCounters(view, slots["event", iri], core.worker)
        self._prefix = route_mark(handler.route, policy)
        self._drops = _UNKEPT | TAGS if policy.hides_tags else _UNKEPT
        self._keyed = policy.keyed_fields
        self._unkeyed = UNKEYED - set(policy.keyed_fields)
        watched = (*self._unkeyed, *_PASSED_BY, *_HEEDED, *policy.keyed_fields)
        self._watched = {name.encode("ascii"): name for name in watched}
        self.pending: dict[bytes, Fetch] = {}
        """What is being fetched."""
        self._passing: dict[bytes, float] = {}
        self._lines: dict[tuple[int, bytes], StatusLine] = {}
        self.shared: SharedAnswers | None = None
        """What is kept together with other gateways."""
        if policy.store is not None:
            told = EventCounters(view, slots["cache_store", iri], core.worker)
            apart = b"%b %d%d" % (iri.encode("utf-8", "replace"), self.guarded, policy.hides_tags)
            store = core.stores.of(policy.store)
            self.shared = SharedAnswers(policy, store, self._marks, told, apart, self.bound)
        self._purge(policy)

    def _purge(self, policy: Cache) -> None:
        """What the configuration says is not to be used any more."""
        now, wall = monotonic(), datetime.now(UTC).timestamp()
        for purge in policy.purges:
            at = now - wall + purge.before
            if purge.url is not None:
                self._marks.purge_url(url_of(purge.url), at)
            elif purge.tag is not None:
                self._marks.purge_tag(purge.tag.encode("utf-8"), at)
            else:
                self._marks.purge_all(at)

    # -- a request comes

    def ask(self, exchange: Exchange) -> Refusal | None:
        """Answer from what is kept, or let it go on, or wait for another request."""
        turn = exchange.caching
        if turn is None:
            turn = self._turn(exchange)
            if turn is None:
                return None
            exchange.caching = turn
        turn.entry, turn.may_stand_in = None, False
        now = monotonic()
        memory, marks = self._memory, self._marks
        entry, there = memory.find(turn.key, None, marks)
        if entry is None and there:
            entry, there = memory.find(turn.key, turn.lines, marks)
        if entry is not None:
            found = use(entry, turn.said, now)
            if found == Use.FRESH:
                self._give(exchange, turn, entry, COLLAPSED if turn.collapsed else HIT)
                return WAIT
            if found == Use.STALE and turn.part is None:
                self._give(exchange, turn, entry, STALE)
                self._refresher.fetch(exchange, turn, entry)
                return WAIT
            turn.entry = entry
            turn.may_stand_in = found == Use.VALIDATE
        if turn.part is None and not turn.said.only_if_cached and self._waits(exchange, turn, now):
            return WAIT
        if self.shared is not None and self._looks(exchange, turn, self.shared):
            return WAIT
        if turn.part is not None and not turn.said.only_if_cached:
            return self._by(exchange)
        if turn.said.only_if_cached:
            turn.result = "miss"
            said = "nothing that may be used is stored, and the request asks that nobody be asked"
            return Refusal(504, "not-cached", said, refused_by=self.policy.iri)
        self._forward(exchange, turn, now, there)
        return None

    def _turn(self, exchange: Exchange) -> CacheTurn | None:
        """What a request has to do with the cache; None when it goes by."""
        target, block = exchange.target_bytes, exchange.block
        if not target.startswith(b"/") or exchange.method not in _SAFE or not exchange.body_done:
            return self._pass(exchange)
        headers = watched_fields(block.lines, self._watched)
        if exchange.method not in ("GET", "HEAD") or exchange.bytes_in or exchange.wants_upgrade:
            return self._pass(exchange)
        if not self._unkeyed.isdisjoint(headers) or not _PASSED_BY.isdisjoint(headers):
            return self._pass(exchange)
        said = asked(headers.get("cache-control"), headers.get("pragma"), self.policy.heeds_requests)
        url = self._url(exchange)
        key = self._prefix + url
        for name in self._keyed:
            key += b"\n%b" % headers.get(name, "").encode("utf-8", "replace")
        if exchange.from_trusted:
            told = _FORWARDED_HOST.search(exchange.fields)
            key += b"\n" if told is None else b"\n" + told[1]
        turn = CacheTurn(key, url, exchange.fields, said, monotonic())
        asked_part = headers.get("range")
        if asked_part is not None and exchange.method == "GET":  # of HEAD it means nothing
            turn.part = one_range(asked_part)
            if turn.part is None:
                return self._pass(exchange)
        turn.none_match = headers.get("if-none-match")
        turn.modified_since = headers.get("if-modified-since")
        return turn

    def _url(self, exchange: Exchange) -> bytes:
        host = exchange.authority or exchange.block.marks.authority or b""
        return normal_url(b"https" if came_over_tls(exchange.fields) else b"http", host, exchange.target_bytes)

    def _pass(self, exchange: Exchange) -> CacheTurn | None:
        """A request that the cache has no answer to."""
        unsafe = exchange.method not in _SAFE
        if unsafe:
            exchange.down = Invalidating(exchange.down, self, self._url(exchange))
        self._counters.count(PASSED)
        if self.policy.hides_tags:
            exchange.answer_drops |= TAGS
        if self.policy.shows_status:
            exchange.answer_fields += b"Cache-Status: agw; fwd=%b\r\n" % (b"method" if unsafe else b"bypass")
        return None

    def _by(self, exchange: Exchange) -> Refusal | None:
        """A part of what is not there fresh and whole: the backend is asked, and nothing is kept of what it says."""
        exchange.caching = None
        self._pass(exchange)
        return None

    def _waits(self, exchange: Exchange, turn: CacheTurn, now: float) -> bool:
        """Have it wait for another that fetches the same; or be the one that others wait for."""
        bound = self.policy.collapse_seconds
        said = turn.said
        if turn.alone or turn.fetch is not None or bound <= 0.0 or said.no_store or said.no_cache or exchange.is_head:
            return False
        fetch = self.pending.get(turn.key)
        if fetch is None:
            if self._passing.get(turn.key, 0.0) < now:
                turn.fetch = self.pending[turn.key] = Fetch()
            return False
        if turn.until == 0.0:
            turn.until = now + bound
        if now >= turn.until:
            return False
        turn.collapsed = True
        turn.follows = fetch
        fetch.waiting[exchange] = None
        exchange.waits_at = self.gate
        turn.waits = self._core.loop.call_later(turn.until - now, self._waited, exchange, turn)
        return True

    def _looks(self, exchange: Exchange, turn: CacheTurn, shared: SharedAnswers) -> bool:
        """Have it wait for what the store that is shared has, once. Who waits for this request waits for that, too."""
        if turn.looked or turn.said.no_cache or turn.said.no_store:
            return False
        turn.looked = True

        def found(entry: Stored | None) -> None:
            if entry is not None:
                self.take(turn, entry)
            exchange.proceed()

        exchange.waits_at = self.gate
        return shared.find(turn.key, turn.lines, found)

    def take(self, turn: CacheTurn, entry: Stored) -> bool:
        """Have in memory what was found in the store, unless there is something newer; whether that was done."""
        held = turn.entry
        if held is not None and held.taken >= entry.taken:
            return False
        turn.shared = True
        self._hold(turn.key, entry)
        return True

    def _waited(self, exchange: Exchange, turn: CacheTurn) -> None:
        """It has waited long enough."""
        fetch = turn.follows
        turn.leave()
        if fetch is not None and fetch.waiting.pop(exchange, exchange) is None:
            turn.alone = True
            exchange.proceed()

    def _forward(self, exchange: Exchange, turn: CacheTurn, now: float, there: bool) -> None:
        """Let it go to the backend, and see what comes back."""
        entry = turn.entry
        turn.asked_at = now
        if self.shared is not None:
            turn.position = self.shared.position
        turn.result = "miss"
        if entry is None:
            turn.told = "; fwd=vary-miss" if there else "; fwd=uri-miss"
        else:
            turn.told = "; fwd=request" if entry.lifetime > entry.age(now) else "; fwd=stale"
            if entry.validator:
                turn.validates = True
                exchange.fields = CONDITIONS.sub(b"", exchange.fields) + entry.conditions()
        if turn.collapsed:
            turn.told += "; collapsed=?0"
        self._counters.count(MISS)
        exchange.down = Storing(exchange.down, self, turn, exchange.answer_fields, exchange.answer_drops)
        exchange.answer_fields, exchange.answer_drops = b"", frozenset()

    def _give(self, exchange: Exchange, turn: CacheTurn, entry: Stored, deed: int) -> None:
        self._counters.count(deed)
        turn.told, turn.result = "; hit", "stale" if deed == STALE else "hit"
        if self.shared is not None:
            turn.told = "; hit; detail=redis" if turn.shared else "; hit; detail=memory"
        if deed == COLLAPSED:
            turn.told, turn.result = "; fwd=uri-miss; collapsed", "collapsed"
        head, payload = self.answer_of(turn, entry)
        exchange.give(head, payload)

    # -- an answer comes

    def keep(self, turn: CacheTurn, entry: Stored) -> None:
        """Keep what was fetched."""
        entry.url = turn.url
        complete(entry, self._core.date_line())
        self._counters.count(STORED)
        self._hold(turn.key, entry)
        if self.shared is not None:
            self.shared.put(turn.key, entry, turn.position)

    def _hold(self, key: bytes, entry: Stored) -> None:
        memory = self._memory
        evicted = memory.evicted
        memory.put(key, entry)
        self._counters.add(EVICTED, memory.evicted - evicted)

    def kept_lines(self, block: bytes) -> bytes:
        """Of an answer's lines those that are kept."""
        return kept_lines(block, self._drops)

    def forget(self, turn: CacheTurn, entry: Stored) -> None:
        """Keep it no longer."""
        self._memory.drop(turn.key, entry)
        if self.shared is not None:
            self.shared.drop(turn.key, entry)

    def answer_of(self, turn: CacheTurn, entry: Stored) -> tuple[AnswerHead, bytes]:
        """What is stored as the answer to a request: whole, or that the client has it already."""
        age = int(max(0.0, entry.age(monotonic())))
        conditional = turn.none_match is not None or turn.modified_since is not None
        block, payload = entry.block, entry.payload
        line = self._line(entry.status, entry.reason)
        length: int | None = len(payload)
        if conditional and not_modified(entry, turn.none_match, turn.modified_since):
            line, block, payload, length = self._line(304, b"Not Modified"), in_304(block), b"", None
        elif turn.part is not None and entry.status == 200:
            found = cut(turn.part, len(payload))
            if found is not None:  # else it gets all: who serves may do so (RFC 9110 §14.2)
                start, end = found
                line, block = self._line(206, b"Partial Content"), whole_lines(block)
                block += b"Content-Range: bytes %d-%d/%d\r\n" % (start, end - 1, len(payload))
                payload = payload[start:end]
                length = end - start
                block += b"Content-Length: %d\r\n" % length
        block += b"Age: %d\r\n" % age + self.status_line(turn)
        head = AnswerHead(line, block, None if line.bodyless else length, _MARKS)
        head.dated = True
        return head, payload

    def _line(self, status: int, reason: bytes) -> StatusLine:
        found = self._lines.get((status, reason))
        if found is None:
            if len(self._lines) >= _REMEMBERED:
                self._lines.clear()
            found = self._lines[status, reason] = StatusLine(status, reason)
        return found

    def status_line(self, turn: CacheTurn) -> bytes:
        """What the cache says of itself (RFC 9211)."""
        if not self.policy.shows_status:
            return b""
        return _HIT_LINE if turn.told == "; hit" else b"Cache-Status: agw%b\r\n" % turn.told.encode("ascii")

    def invalidate(self, url: bytes, block: bytes) -> None:
        """A request has changed what is at `url`; `block`: the lines of its answer, which may name more of the same
        origin (RFC 9111 §4.4)."""
        now = monotonic()
        for gone in (url, *named_urls(url, block)):
            self._marks.purge_url(gone, now)
            if self.shared is not None:
                self.shared.purged(OF_URL, gone)

    # -- the end

    def release(self, turn: CacheTurn, *, alone: bool) -> None:
        """Those who wait for what `turn` fetches may go on; `alone`: it is not there for them."""
        fetch = turn.fetch
        if fetch is None:
            return
        turn.fetch = None
        if self.pending.get(turn.key) is fetch:
            del self.pending[turn.key]
        if alone:
            if len(self._passing) >= _REMEMBERED:
                self._passing.clear()
            self._passing[turn.key] = monotonic() + PASS_SECONDS
        elif self._passing:
            self._passing.pop(turn.key, None)
        if fetch.waiting:
            self._core.loop.call_soon(fetch.release, alone)

    def count(self, deed: int) -> None:
        """One more of these (`cache_turn`)."""
        self._counters.count(deed)

    def ended(self, exchange: Exchange, _now: float) -> None:
        """A request is over: others may wait for what it did not bring, or it for others."""
        turn = exchange.caching
        if turn is None:
            return
        if turn.follows is not None:
            turn.follows.waiting.pop(exchange, None)
            turn.leave()
        self.release(turn, alone=False)
