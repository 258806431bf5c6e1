"""Bodies of answers that are changed, as a stage right before the backend: it stands between an exchange and its cache,
so that what is kept, cut into ranges, validated and compressed is what clients get.

- Backends are asked for whole bodies without a coding: no ``Range``, ``Accept-Encoding: identity``. Gzip that comes all
  the same is read within the bound.
- Entity tags get a mark of the change, and lose it again on their way back (`answer_tags`): a client that has an answer
  from before a change of the configuration gets the new one.
- A JSON body is held back until it is there; all others (event streams, files, tunnels) go by piece by piece.
- A body that cannot be changed is refused, or goes on as it is, as the policy says.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.routing.body import AnswerChange, BodyChange, answer_change, is_json
from api_gateway_service_mesh.routing.strict_json import StrictJsonError

from .answer import AnswerHead, AnswerMarks
from .answer_tags import TagMark
from .client_front import ClientFront
from .problem import Refusal
from .template_values import path_places, values_of

if TYPE_CHECKING:
    from .answering import Answering
    from .client_side import Downstream
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["answer_body_gates", "unzipped"]

_LEFT, _CHANGED, _STUCK = 0, 1, 2
_MARKS: Final = AnswerMarks()
_LENGTH: Final = frozenset((b"content-length",))
_FRAMING: Final = _LENGTH | {b"content-encoding"}
#: Digests of the backend's body (RFC 9530, and those before it).
_OF_THE_BODY: Final = frozenset((b"content-md5", b"content-digest", b"repr-digest", b"digest"))


def answer_body_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route where bodies of answers are changed."""
    told = handler.route.response_transformation
    change = None if told is None else answer_change(told)
    if told is None or change is None:
        return []
    rules = _Rules(told.iri, change, told.body_bytes, told.passes_unchangeable)
    places = path_places(handler.route)

    def arrange(exchange: Exchange) -> Refusal | None:
        if not exchange.wants_upgrade:
            exchange.fields = rules.tags.asked(exchange.fields)
            exchange.down = _Changing(exchange.down, rules, exchange.target_bytes, places)
        return None

    return [arrange]


class _Rules:
    """Which of a route's answers are changed, and what becomes of the others."""

    __slots__ = ("change", "iri", "most", "passes", "tags")

    def __init__(self, iri: str, change: AnswerChange, most: int, passes: bool) -> None:
        self.iri = iri
        self.change = change
        self.most = most
        self.passes = passes
        self.tags = TagMark(change.mark)

    def of(self, status: int) -> BodyChange | None:
        """What is done with bodies of answers with this status."""
        return self.change.successes if 200 <= status < 300 else self.change.failures

    def refusal(self, detail: str) -> Refusal:
        """In place of an answer. What was wrong with it is for the operator to know."""
        said = "the backend's answer is not what this route may pass on"
        return Refusal(502, "unchangeable-answer", said, b"", self.iri, failure=True, reason=detail)


class _Changing(ClientFront):
    """The client's side of an exchange, in front of what keeps and compresses answers."""

    __slots__ = ("_coded", "_exchange", "_head", "_kept", "_places", "_refused", "_rules", "_size", "_target")

    def __init__(self, inner: Downstream, rules: _Rules, target: bytes, places: dict[str, int]) -> None:
        super().__init__(inner)
        self._rules = rules
        self._target = target
        self._places = places
        self._exchange: Answering | None = None
        self._head: AnswerHead | None = None
        """Of an answer that is held back."""
        self._kept: list[bytes] = []
        self._size = 0
        self._coded = False
        self._refused = False
        """It was refused while it came: the rest is for nobody."""

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """The whole answer."""
        if exchange.problem:  # the gateway's own words
            self._inner.respond(exchange, head, payload, raw)
            return
        verdict, detail = self._judge(head)
        if verdict == _STUCK and not self._rules.passes:
            self._refuse(exchange, detail)
        elif verdict != _CHANGED:
            self._inner.respond(exchange, self._rules.tags.told(head), payload, None)
        elif exchange.is_head:
            self._inner.respond(exchange, self._made(head, None), b"", None)
        else:
            self._give(exchange, head, payload)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; the body follows."""
        verdict, detail = _LEFT, ""
        if not exchange.problem:
            verdict, detail = self._judge(head)
        self._exchange = exchange
        if verdict == _STUCK and not self._rules.passes:
            self._give_up(exchange, detail)
        elif verdict == _CHANGED:
            self._head = head
        else:
            self._inner.begin(exchange, self._rules.tags.told(head))

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        head, exchange = self._head, self._exchange
        if self._refused:
            return
        if head is None or exchange is None:
            self._inner.more(payload)
            return
        self._kept.append(payload)
        self._size += len(payload)
        if self._size > self._rules.most:
            if self._rules.passes:
                self._let_go(exchange, head)
            else:
                self._give_up(exchange, self._too_large())

    def end(self) -> None:
        """The body has ended."""
        head, exchange = self._head, self._exchange
        if self._refused:
            return
        if head is None or exchange is None:
            self._inner.end()
            return
        self._head = None
        body = b"".join(self._kept)
        self._kept.clear()
        self._give(exchange, head, body)

    def _judge(self, head: AnswerHead) -> tuple[int, str]:
        """Whether the body is to be changed, and why it cannot be."""
        self._coded = False
        status = head.status
        if head.bodyless or status == 205 or self._rules.of(status) is None:
            return _LEFT, ""
        json, coding, part = False, b"", status == 206
        for line in head.block.split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-type":
                json = json or is_json(value.decode("latin-1"))
            elif name == b"content-encoding":
                coding += value.strip(b" \t").lower()
            elif name == b"content-range":
                part = part or status != 416
        if not json:
            return _LEFT, ""
        if part:
            return _STUCK, "the backend sent a part of a body, though it was asked for the whole"
        if coding not in (b"", b"identity", b"gzip", b"x-gzip"):
            return _STUCK, "the body has a content coding that cannot be read, though it was asked for without"
        if head.length is not None and head.length > self._rules.most:
            return _STUCK, self._too_large()
        self._coded = coding not in (b"", b"identity")
        return _CHANGED, ""

    def _give(self, exchange: Answering, head: AnswerHead, payload: bytes) -> None:
        """What becomes of a body that is there."""
        rules = self._rules
        change = rules.of(head.status)
        values = values_of(exchange, self._target, self._places, head.status)
        try:
            body = unzipped(payload, rules.most) if self._coded and payload else payload
            made = None if change is None or not body else change(body, values)
        except ValueError as error:
            detail = f"the body is not JSON: {error}" if isinstance(error, StrictJsonError) else str(error)
            if rules.passes:
                self._say(exchange, rules.tags.told(head), payload)
            else:
                self._refuse(exchange, detail)
            return
        if made is None and body is payload:
            self._say(exchange, rules.tags.told(head), payload)
            return
        if made is None:
            made = body
        exchange.bytes_out += len(made) - len(payload)
        if exchange.answer_trailers:
            exchange.answer_trailers = [one for one in exchange.answer_trailers if one[0] not in _OF_THE_BODY]
        self._say(exchange, self._made(head, len(made)), made)

    def _say(self, exchange: Answering, head: AnswerHead, payload: bytes) -> None:
        """Head and body at once; with trailers behind it, one after the other."""
        if not exchange.answer_trailers:
            if head.length is None:
                head = self._sized(head, len(payload))
            self._inner.respond(exchange, head, payload, None)
            return
        self._inner.begin(exchange, self._sized(head.with_fields(b"", _LENGTH), None))
        self._inner.more(payload)
        self._inner.end()

    def _made(self, head: AnswerHead, length: int | None) -> AnswerHead:
        """The head of the changed body."""
        return self._sized(self._rules.tags.told(head).with_fields(b"", _OF_THE_BODY | _FRAMING), length)

    def _sized(self, head: AnswerHead, length: int | None) -> AnswerHead:
        block = head.block if length is None else head.block + b"Content-Length: %d\r\n" % length
        made = AnswerHead(head.line, block, length, _MARKS)
        made.dated = head.dated
        return made

    def _let_go(self, exchange: Answering, head: AnswerHead) -> None:
        """It is too large: what was held back goes on, and the rest behind it."""
        self._head = None
        self._inner.begin(exchange, self._rules.tags.told(head))
        for piece in self._kept:
            self._inner.more(piece)
        self._kept.clear()

    def _refuse(self, exchange: Answering, detail: str) -> None:
        head, payload = exchange.replaced(self._rules.refusal(detail))
        self._inner.respond(exchange, head, payload, None)

    def _give_up(self, exchange: Answering, detail: str) -> None:
        """The same while the body still comes: from the loop's next turn on nobody listens to the backend."""
        self._refused = True
        self._head = None
        self._kept.clear()
        exchange.core.loop.call_soon(exchange.abandon, self._rules.refusal(detail))

    def _too_large(self) -> str:
        return f"the body has more than {self._rules.most} bytes"

    def cut(self) -> None:
        """End without an end."""
        self._head = None
        self._kept.clear()
        super().cut()


def unzipped(payload: bytes, most: int) -> bytes:
    """What gzip says, in one member or several, up to `most` bytes.

    Raises:
        ValueError: it is no gzip, or says more.
    """
    made = b""
    while payload:
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            made += reader.decompress(payload, most + 1 - len(made))
        except zlib.error:
            raise ValueError("the body is no gzip, though it says so") from None
        if len(made) > most:
            raise ValueError(f"the body has more than {most} bytes once it is unpacked")
        if not reader.eof:
            raise ValueError("the body is no gzip, though it says so")
        payload = reader.unused_data
    return made
