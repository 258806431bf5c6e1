"""Compression as a stage: it stands between an exchange and its client, so that it sees every answer, whoever made it.

- What is compressed, and what stays as it is, is in `_Rules.judge`; a client that takes no coding still learns that
  there would have been one (Vary).
- The gate costs a route without the policy nothing; one with it a look at Accept-Encoding.
- A stream is flushed `FLUSH_SECONDS` after its last piece at the latest, so that who waits for a line gets it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import Compression
from api_gateway_service_mesh.policies import EventCounters
from api_gateway_service_mesh.routing.compression import choose_coding, type_test

from .answer import AnswerHead, AnswerMarks
from .client_front import ClientFront
from .coding import INSTALLED, Coder, coder
from .problem import Refusal
from .trailers import OF_THE_BODY

if TYPE_CHECKING:
    from .answering import Answering
    from .client_side import Downstream
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["FLUSH_SECONDS", "compression_gates"]

FLUSH_SECONDS: Final = 0.01
_COMPRESSED, _BEFORE, _AFTER = 0, 1, 2
_LEFT, _VARIES, _FITS = 0, 1, 2
_REMEMBERED: Final = 256
_REMEMBERED_BYTES: Final = 256
_MARKS: Final = AnswerMarks()
_VARY: Final = b"Vary: Accept-Encoding\r\n"
#: Of the answer without the coding: its length, its digests (RFC 9530), and that parts of it may be asked for.
_OF_THE_PLAIN: Final = frozenset(
    (b"content-length", b"content-md5", b"content-digest", b"repr-digest", b"digest", b"accept-ranges")
)
_LOG = logging.getLogger(__name__)


def compression_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route whose answers are compressed."""
    compression = handler.route.compression
    if compression is None:
        return []
    offered = tuple(coding for coding in compression.codings if coding in INSTALLED)
    if not offered:
        _LOG.warning("%s offers %s, of which nothing is installed here", compression.iri, compression.codings)
    counters = EventCounters(core.cells.view, generation.slots["event", compression.iri], core.worker)
    rules = _Rules(compression, counters)
    known: dict[str | None, str | None] = {}

    def compress(exchange: Exchange) -> Refusal | None:
        block = exchange.block
        accepts = block.header("accept-encoding")
        if accepts in known:
            coding = known[accepts]
        else:
            coding = choose_coding(accepts, offered)
            if accepts is None or len(accepts) <= _REMEMBERED_BYTES:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[accepts] = coding
        control = block.header("cache-control")
        if control is None or "no-transform" not in control.lower():
            exchange.down = _Compressing(exchange.down, rules, coding)
        return None

    return [compress]


class _Rules:
    """What of a route's answers is compressed."""

    __slots__ = ("compression", "counters", "minimum", "typed")

    def __init__(self, compression: Compression, counters: EventCounters) -> None:
        self.compression = compression
        self.counters = counters
        self.minimum = compression.minimum_bytes
        self.typed = type_test(compression.types)

    def judge(self, head: AnswerHead, coding: str | None) -> tuple[int, bytes]:
        """What becomes of an answer, and the fields that it then has."""
        status = head.status
        if status < 200 or status in (204, 205, 206):
            return _LEFT, b""
        unchanged = status == 304
        length = head.length
        if length is not None and length < self.minimum and not unchanged:
            return _LEFT, b""
        kept: list[bytes] = []
        fits, varies = unchanged, False
        for line in head.block.split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-type":
                fits = self.typed(value.decode("latin-1"))
                if not fits:
                    return _LEFT, b""
            elif name == b"content-encoding" or name == b"content-range":
                return _LEFT, b""
            elif name == b"cache-control":
                if b"no-transform" in value.lower():
                    return _LEFT, b""
            elif name == b"vary":
                varies = varies or b"*" in value or b"accept-encoding" in value.lower()
            elif coding is not None:
                if name == b"etag":
                    value = value.strip(b" \t")
                    if value[:1] == b'"':
                        line = b"ETag: W/" + value
                elif name in _OF_THE_PLAIN and not unchanged:
                    continue
            if line:
                kept.append(line)
        if not fits:
            return _LEFT, b""
        block = b"\r\n".join([*kept, b""]) if varies else b"\r\n".join([*kept, _VARY])
        if coding is None or unchanged:
            return _VARIES, block
        return _FITS, block + b"Content-Encoding: %b\r\n" % coding.encode("ascii")


class _Compressing(ClientFront):
    """The client's side of an exchange, in front of the real one."""

    __slots__ = ("_coder", "_coding", "_exchange", "_rules", "_timer")

    def __init__(self, inner: Downstream, rules: _Rules, coding: str | None) -> None:
        super().__init__(inner)
        self._rules = rules
        self._coding = coding
        self._coder: Coder | None = None
        self._exchange: Answering | None = None
        self._timer: asyncio.TimerHandle | None = None

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        coding = self._coding
        verdict, block = self._rules.judge(head, coding)
        if verdict == _LEFT:
            self._inner.respond(exchange, head, payload, raw)
        elif verdict == _VARIES or coding is None:
            self._inner.respond(exchange, _made(head, block, head.length), payload, None)
        elif exchange.is_head:
            self._inner.respond(exchange, _made(head, block, None), b"", None)
        else:
            made = coder(coding, self._rules.compression.effort)
            small = made.add(payload) + made.finish()
            self._count(exchange, len(payload), len(small))
            self._rules.counters.count(_COMPRESSED)
            block += b"Content-Length: %d\r\n" % len(small)
            self._inner.respond(exchange, _made(head, block, len(small)), small, None)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        coding = self._coding
        verdict, block = self._rules.judge(head, coding)
        if verdict == _LEFT:
            self._inner.begin(exchange, head)
        elif verdict == _VARIES or coding is None:
            self._inner.begin(exchange, _made(head, block, head.length))
        else:
            self._exchange = exchange
            self._coder = coder(coding, self._rules.compression.effort)
            self._rules.counters.count(_COMPRESSED)
            self._inner.begin(exchange, _made(head, block, None))

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        made, exchange = self._coder, self._exchange
        if made is None or exchange is None:
            self._inner.more(payload)
            return
        small = made.add(payload)
        self._count(exchange, len(payload), len(small))
        if small:
            self._inner.more(small)
        if self._timer is None:
            self._timer = exchange.core.loop.call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        made, exchange = self._coder, self._exchange
        if made is not None and exchange is not None and not exchange.over:
            self._say(exchange, made.flush())

    def _say(self, exchange: Answering, small: bytes) -> None:
        self._count(exchange, 0, len(small))
        if small:
            self._inner.more(small)

    def _count(self, exchange: Answering, before: int, after: int) -> None:
        exchange.bytes_out += after - before
        self._rules.counters.add(_BEFORE, before)
        self._rules.counters.add(_AFTER, after)

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._coder = None

    def end(self) -> None:
        """What was kept, and the end."""
        made, exchange = self._coder, self._exchange
        self._over()
        if made is not None and exchange is not None:
            self._say(exchange, made.finish())
            if exchange.answer_trailers:
                exchange.answer_trailers = [field for field in exchange.answer_trailers if field[0] not in OF_THE_BODY]
        self._inner.end()

    def cut(self) -> None:
        """End without an end."""
        self._over()
        super().cut()


def _made(head: AnswerHead, block: bytes, length: int | None) -> AnswerHead:
    made = AnswerHead(head.line, block, length, _MARKS)
    made.dated = head.dated
    return made
