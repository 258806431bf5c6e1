"""What stands before the client while the backend is asked: keeps what may be kept, on its way to the client.

Answers go on piece by piece as they come; a copy is kept beside them as long as it is within bounds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.policies.cache import Stored, fails, merged, stored
from api_gateway_service_mesh.policies.cache_fields import field_lines

from .answer import AnswerHead
from .cache_turn import REVALIDATED, STALE, CacheTurn
from .client_front import ClientFront
from .client_side import Downstream

if TYPE_CHECKING:
    from .answering import Answering
    from .cache import RouteCache
    from .tunnel import Tunnel

__all__ = ["TAGS", "Invalidating", "Storing"]

TAGS: Final = frozenset((b"surrogate-key", b"cache-tag"))
"""Fields that speak to caches alone."""


class Storing(ClientFront):
    """The client's side of a request that goes to the backend.

    `fields` and `drops` are what stages before the cache give all answers of this request: they are none of what is
    kept.
    """

    __slots__ = ("_cache", "_drops", "_exchange", "_fields", "_given", "_kept", "_making", "_size", "_turn")

    def __init__(
        self, inner: Downstream, cache: RouteCache, turn: CacheTurn, fields: bytes, drops: frozenset[bytes]
    ) -> None:
        super().__init__(inner)
        self._cache = cache
        self._turn = turn
        self._fields = fields
        self._drops = drops
        self._making: Stored | None = None
        self._kept: list[bytes] = []
        self._size = 0
        self._exchange: Answering | None = None
        self._given = -1
        """How many bytes of a stored answer were given in place of the one that still comes; -1: none was."""

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        turn, cache = self._turn, self._cache
        if self._instead(exchange, head):
            return
        made = self._judged(exchange, head)
        if made is not None and len(payload) <= cache.bound:
            made.fill(payload)
            cache.keep(turn, made)
            turn.told += "; stored"
            cache.release(turn, alone=False)
        else:
            made = None
            cache.release(turn, alone=True)
        self._inner.respond(exchange, self._outer(head, made), payload, None)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        if self._instead(exchange, head):
            self._exchange = exchange
            return
        made = self._judged(exchange, head)
        bound = self._cache.bound
        if made is None or (head.length is not None and head.length > bound):
            self._cache.release(self._turn, alone=True)
        else:
            self._making = made
            self._exchange = exchange
        self._inner.begin(exchange, self._outer(head, made))

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        if self._given >= 0:
            return
        if self._making is not None:
            self._size += len(payload)
            if self._size > self._cache.bound:
                self._lose()
            else:
                self._kept.append(payload)
        self._inner.more(payload)

    def end(self) -> None:
        """The body has ended."""
        exchange, made = self._exchange, self._making
        if self._given >= 0:
            if exchange is not None:
                exchange.bytes_out = self._given
            return
        if made is not None and exchange is not None:
            if exchange.answer_trailers:
                self._lose()
            else:
                made.fill(b"".join(self._kept))
                self._making, self._kept = None, []
                self._cache.keep(self._turn, made)
                self._cache.release(self._turn, alone=False)
        self._inner.end()

    def cut(self) -> None:
        """End without an end."""
        self._lose()
        if self._given < 0:
            super().cut()

    def tunnel(self, head: AnswerHead, tunnel: Tunnel) -> None:
        """What goes through a tunnel is nobody else's."""
        self._lose()
        super().tunnel(head, tunnel)

    def _lose(self) -> None:
        """This will not be kept."""
        self._making = None
        self._kept = []
        self._cache.release(self._turn, alone=True)

    def _instead(self, exchange: Answering, head: AnswerHead) -> bool:
        """Give what is stored in place of this answer, where it says that this still holds, or tells of a failure."""
        turn, cache, entry = self._turn, self._cache, self._turn.entry
        if entry is None:
            return False
        if head.status == 304 and turn.validates and not exchange.problem:
            entry = self._validated(entry, head)
            turn.told += "; fwd-status=304"
            turn.result = "revalidated"
            cache.count(REVALIDATED)
            cache.release(turn, alone=False)
        elif fails(head.status) and turn.may_stand_in:
            turn.told += f"; fwd-status={head.status}"
            turn.result = "stale"
            cache.count(STALE)
            cache.release(turn, alone=True)
        else:
            return False
        answer, payload = cache.answer_of(turn, entry)
        exchange.status = answer.status
        if exchange.is_head:
            payload = b""
        exchange.bytes_out = self._given = len(payload)
        self._inner.respond(exchange, answer.with_fields(self._fields, self._drops), payload, None)
        return True

    def _validated(self, entry: Stored, head: AnswerHead) -> Stored:
        """What is stored from now on (RFC 9111 §4.3.4)."""
        turn, cache = self._turn, self._cache
        told = field_lines(head.block)
        tag = next((value for name, value in told if name == b"etag"), None)
        if tag is not None and entry.etag is not None and tag != entry.etag and tag[:1] == b'"':
            cache.forget(turn, entry)  # it speaks of something else; what is stored was what it was asked about
            return entry
        block = merged(entry.block, head.block)  # of ages only that of the 304
        made = stored(
            cache.policy,
            entry.status,
            entry.reason,
            cache.kept_lines(block),
            field_lines(block),
            turn.lines,
            guarded=cache.guarded,
            asked_at=turn.asked_at,
            now=monotonic(),
            wall=datetime.now(UTC).timestamp(),
        )
        if made is None:
            cache.forget(turn, entry)
            return entry
        made.fill(entry.payload)
        made.vary = entry.vary
        made.tags = made.tags or entry.tags
        cache.keep(turn, made)
        return made

    def _judged(self, exchange: Answering, head: AnswerHead) -> Stored | None:
        """What would be kept of it."""
        turn, cache = self._turn, self._cache
        if turn.said.no_store or exchange.problem or exchange.method != "GET":
            return None
        return stored(
            cache.policy,
            head.status,
            head.reason,
            cache.kept_lines(head.block),
            field_lines(head.block),
            turn.lines,
            guarded=cache.guarded,
            asked_at=turn.asked_at,
            now=monotonic(),
            wall=datetime.now(UTC).timestamp(),
        )

    def _outer(self, head: AnswerHead, made: Stored | None) -> AnswerHead:
        """The head for the client: with what stages before the cache say, and what the cache says of itself."""
        drops, fields = self._drops, self._fields
        if self._cache.policy.hides_tags:
            drops |= TAGS
        return head.with_fields(fields + self._cache.status_line(self._turn), drops)


class Invalidating(ClientFront):
    """The client's side of a request that changes something: once the backend has agreed, what is stored of the same
    URL is not used any more (RFC 9111 §4.4)."""

    __slots__ = ("_cache", "_url")

    def __init__(self, inner: Downstream, cache: RouteCache, url: bytes) -> None:
        super().__init__(inner)
        self._cache = cache
        self._url = url

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        self._judge(exchange, head)
        self._inner.respond(exchange, head, payload, raw)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        self._judge(exchange, head)
        self._inner.begin(exchange, head)

    def _judge(self, exchange: Answering, head: AnswerHead) -> None:
        if 200 <= head.status < 400 and not exchange.problem:
            self._cache.invalidate(self._url, head.block)

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        self._inner.more(payload)

    def end(self) -> None:
        """The body has ended."""
        self._inner.end()
