"""gRPC-Web as a stage: calls from browsers, which see no trailers, become calls of gRPC. Behind all that looks at the
request as the client sent it.

The body stays as it is, but that the trailers become its last message; the text variant is base64 around all of it.
Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. Who may call from which page is for CORS to say.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from typing import TYPE_CHECKING, Final

from .answer import AnswerHead, AnswerMarks
from .client_front import ClientFront
from .problem import Refusal

if TYPE_CHECKING:
    from .answering import Answering
    from .client_side import Downstream
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["Base64Reader", "grpc_web_gates", "trailer_frame"]

_KIND: Final = re.compile(r"application/grpc-web(-text)?(\+[a-z0-9.-]+)?(?:[ \t]*;.*)?")
_REPLACED: Final = re.compile(rb"(?im)^(?:content-type|content-length|accept|x-grpc-web):[^\r\n]*\r\n")
_SEGMENT: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_MARKS: Final = AnswerMarks()
_TRAILERS: Final = 0x80
"""The flag of the message that holds the trailers."""


def grpc_web_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate of a route that takes calls from browsers."""
    return [_translate] if handler.route.grpc_web else []


def _translate(exchange: Exchange) -> Refusal | None:
    kind = _KIND.fullmatch((exchange.block.header("content-type") or "").lower())
    if kind is None:
        return None  # gRPC itself, or nothing of the kind
    text = kind[1] is not None
    suffix = (kind[2] or "+proto").encode("ascii")
    exchange.fields = _REPLACED.sub(b"", exchange.fields) + b"Content-Type: application/grpc%b\r\n" % suffix
    exchange.takes_trailers = True
    if text:
        reader = Base64Reader()
        try:
            exchange.waiting = [reader.feed(piece) for piece in exchange.waiting]
        except ValueError as error:
            return Refusal(400, "malformed-request", str(error))
        if exchange.replay is not None:
            exchange.replay = list(exchange.waiting)
        exchange.unwrap = reader.feed
    exchange.down = _Browser(exchange.down, text, suffix)
    return None


class Base64Reader:
    """Reads base64 that comes in pieces; padding may stand at the end of each part."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> bytes:
        """What `data` says.

        Raises:
            ValueError: it is not base64.
        """
        data = self._left + data
        whole = len(data) & ~3
        self._left = data[whole:]
        said = b""
        at = 0
        while at < whole:
            segment = _SEGMENT.match(data, at, whole)
            if segment is None or segment.end() == at or (segment.end() - at) & 3:
                raise ValueError("the body is not base64")
            try:
                said += b64decode(segment[0], validate=True)
            except Error as error:
                raise ValueError("the body is not base64") from error
            at = segment.end()
        return said


def trailer_frame(trailers: list[tuple[bytes, bytes]]) -> bytes:
    """Trailers as the last message of a body."""
    lines = b"".join([b"%b: %b\r\n" % field for field in trailers])
    return bytes((_TRAILERS,)) + len(lines).to_bytes(4, "big") + lines


class _Browser(ClientFront):
    """The client's side of a call from a browser, in front of the real one."""

    __slots__ = ("_exchange", "_suffix", "_text")

    def __init__(self, inner: Downstream, text: bool, suffix: bytes) -> None:
        super().__init__(inner)
        self._text = text
        self._suffix = suffix
        self._exchange: Answering | None = None

    def _head(self, head: AnswerHead) -> AnswerHead:
        lines = head.block.split(b"\r\n")
        kept = []
        for line in lines:
            name = line.partition(b":")[0].lower()
            if name == b"content-type" and b"application/grpc" in line:
                kind = b"application/grpc-web-text" if self._text else b"application/grpc-web"
                line = b"Content-Type: %b%b" % (kind, self._suffix)
            elif name == b"content-length":
                continue
            kept.append(line)
        made = AnswerHead(head.line, b"\r\n".join(kept), None, _MARKS)
        made.dated = head.dated
        return made

    def respond(self, exchange: Answering, head: AnswerHead, payload: bytes, raw: bytes | None) -> None:
        """An answer without trailers: a status alone, or one of the gateway's own, which stays as it is."""
        if b"application/grpc" not in head.block:
            self._inner.respond(exchange, head, payload, raw)
            return
        said = b64encode(payload) if self._text else payload
        made = self._head(head).with_fields(b"Content-Length: %d\r\n" % len(said))
        made.length = len(said)
        self._inner.respond(exchange, made, said, None)

    def begin(self, exchange: Answering, head: AnswerHead) -> None:
        """The head; messages follow, and the trailers as the last."""
        self._exchange = exchange
        self._inner.begin(exchange, self._head(head))

    def more(self, payload: bytes) -> None:
        """A piece of the body."""
        self._inner.more(b64encode(payload) if self._text else payload)

    def end(self) -> None:
        """The trailers, and the end."""
        exchange = self._exchange
        if exchange is not None and exchange.answer_trailers:
            trailers = list(exchange.answer_trailers)
            exchange.answer_trailers = ()
            self.more(trailer_frame(trailers))
        self._inner.end()
