"""Header fields between the two versions of HTTP, in one form on each side.

What a client or a backend says in HTTP/2 is written as lines of HTTP/1.1 and judged as such (`head`, `answer`):
whatever is refused or dropped there is refused or dropped here, and both sorts of backend get the same head. On the way
out, lines become fields with lower-case names (RFC 9113 §8.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from ngh2 import NeverIndexedHeader

from api_gateway_service_mesh.model import Limits

from ..answer import AnswerError, AnswerHead, AnswerReader
from ..lines import HOP_BY_HOP
from ..request_line import FAST_LINE, METHODS, HeadError, parse_line, refused_method

__all__ = ["Field", "Fields", "Translations", "WebSocketKey", "request_head"]

Field = tuple[bytes, bytes]
Fields = list[Any]
"""Of `Field`; those with secrets are marked as never to be indexed, which a type of plain pairs would lose (mypyc)."""

_MEMORY: Final = 1024
_MEMORY_BYTES: Final = 2048
#: Of one connection only (RFC 9113 §8.2.2); framing is HTTP/2's own.
_CONNECTION: Final = HOP_BY_HOP - {b"content-length", b"expect"}
_SECRET: Final = frozenset((b"authorization", b"cookie", b"set-cookie", b"proxy-authorization", b"x-api-key"))
_GRPC: Final = b"application/grpc"
WebSocketKey = bytes


class RequestHead:
    """A request as it came: what stands in its request line, and its fields as lines of HTTP/1.1."""

    __slots__ = ("lines", "method", "path", "query", "target", "websocket")

    def __init__(self, method: str, target: bytes, path: str, query: str, lines: bytes, websocket: bool) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.lines = lines
        self.websocket = websocket
        """An extended CONNECT (RFC 8441), which is the handshake of a WebSocket."""


def request_head(fields: Sequence[Field], ended: bool, limits: Limits, key: WebSocketKey) -> RequestHead:
    """The meaning of a request's fields; `ended`: no body follows. `key` is the handshake's, should it be one.

    Raises:
        HeadError: 400, 405, 414, 431 or 501.
    """
    method = target = authority = scheme = protocol = host = b""
    cookies: list[bytes] = []
    lines: list[bytes] = []
    sized = False
    for name, value in fields:
        if name[:1] == b":":
            if name == b":method":
                method = value
            elif name == b":path":
                target = value
            elif name == b":authority":
                authority = value
            elif name == b":scheme":
                scheme = value
            elif name == b":protocol":
                protocol = value
        elif name == b"cookie":
            cookies.append(value)
        elif name == b"host":
            if host and host != value:
                raise HeadError(400, "malformed-host", "there is more than one Host field")
            host = value
        else:
            if name == b"content-length":
                sized = True
            lines.append(b"%b: %b\r\n" % (name, value))
    if authority and host and authority.lower() != host.lower():
        raise HeadError(400, "malformed-host", "Host and :authority name different hosts")
    websocket = method == b"CONNECT" and protocol == b"websocket"
    if websocket:
        method = b"GET"
        lines.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: %b\r\n" % key)
    elif protocol:
        raise HeadError(501, "not-implemented", "the only protocol for an extended CONNECT is websocket")
    elif method == b"CONNECT":
        raise refused_method(method)
    elif scheme.lower() not in (b"http", b"https"):
        raise HeadError(400, "malformed-target", "the scheme is neither http nor https")
    if any(b"\n" in value or b"\n" in name for name, value in fields):
        raise HeadError(400, "malformed-header", "a field holds a line feed")  # libnghttp2 refuses it before
    if cookies:  # RFC 9113 §8.2.3: they may come in pieces, and go on in one
        lines.append(b"cookie: %b\r\n" % b"; ".join(cookies))
    if not ended and not sized and not websocket:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    if authority or host:
        lines.insert(0, b"Host: %b\r\n" % (authority or host))
    known, target, path, query = _line(method, target, limits)
    return RequestHead(known, target, path, query, b"".join(lines), websocket)


def _line(method: bytes, target: bytes, limits: Limits) -> tuple[str, bytes, str, str]:
    """Method and target by the rules of the request line."""
    if not target.startswith((b"/", b"*")):
        raise HeadError(400, "malformed-target", "the path does not begin with a slash")
    line = b"%b %b HTTP/1.1\r\n" % (method, target)
    match = FAST_LINE.match(line)
    if match is None or len(line) > limits.max_request_line_bytes:
        parsed, _ = parse_line(line, limits)
        return parsed.method, parsed.target, parsed.path, parsed.query
    known = METHODS.get(method)
    if known is None:
        raise refused_method(method)
    _, _, path, query, _ = match.groups()
    return known, target, path.decode("ascii"), query.decode("ascii") if query else ""


class Translations:
    """What was translated before, shared by all connections of a worker, in bounds."""

    __slots__ = ("_answers", "_heads", "_reader", "_requests")

    def __init__(self, reader: AnswerReader) -> None:
        self._reader = reader
        self._answers: dict[tuple[int, bytes], Fields] = {}
        self._requests: dict[bytes, tuple[bytes, Fields]] = {}
        self._heads: dict[tuple[tuple[Field, ...], bool], tuple[AnswerHead, bytes]] = {}

    def answer(self, head: AnswerHead) -> Fields:
        """The fields of an answer for a client, ``:status`` first."""
        key = (head.status, head.block)
        fields = self._answers.get(key)
        if fields is None:
            fields = [(b":status", b"%d" % head.status), *_fields(head.block)]
            if len(head.block) <= _MEMORY_BYTES:
                if len(self._answers) >= _MEMORY:
                    self._answers.clear()
                self._answers[key] = fields
        return fields

    def request(self, block: bytes) -> tuple[bytes, Fields]:
        """Authority, and the other fields, of a request for a backend; `block` are the lines as HTTP/1.1 has them."""
        found = self._requests.get(block)
        if found is None:
            authority = b""
            for line in block.split(b"\r\n"):
                if line[:5].lower() == b"host:":
                    authority = line[5:].strip(b" \t")
            fields = _fields(block)
            found = authority, fields
            if len(block) <= _MEMORY_BYTES:
                if len(self._requests) >= _MEMORY:
                    self._requests.clear()
                self._requests[block] = found
        return found

    def head(self, fields: tuple[Field, ...], ended: bool) -> tuple[AnswerHead, bytes]:
        """The head of a backend's answer, and how HTTP/1.1 writes it; `ended`: no body follows.

        Raises:
            AnswerError: it breaks the rules.
        """
        key = (fields, ended)
        found = self._heads.get(key)
        if found is None:
            wire = _wire(fields, ended)
            found = self._reader.head(wire), wire
            if len(wire) <= _MEMORY_BYTES:
                if len(self._heads) >= _MEMORY:
                    self._heads.clear()
                self._heads[key] = found
        return found


def _fields(block: bytes) -> Fields:
    fields: Fields = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if colon and name not in _CONNECTION:
            value = value.strip(b" \t")
            # Two statements, not one conditional: compiled, the conditional's value would be a plain pair.
            if name in _SECRET:
                fields.append(NeverIndexedHeader(name, value))
            else:
                fields.append((name, value))
    return fields


def _wire(fields: tuple[Field, ...], ended: bool) -> bytes:
    status, sized, grpc = b"", False, False
    lines: list[bytes] = []
    for name, value in fields:
        if name == b":status":
            status = value
            continue
        if name == b"content-length":
            sized = True
        elif name == b"content-type" and value.startswith(_GRPC):
            grpc = True
        lines.append(b"%b: %b\r\n" % (name, value))
    if ended and not sized and not grpc and status not in (b"204", b"304"):
        lines.append(b"content-length: 0\r\n")
    block = b"".join(lines)
    if block.count(b"\n") != len(lines):  # libnghttp2 refuses it before; a smuggled line is worth two looks
        raise AnswerError("a field of the answer holds a line feed")
    return b"HTTP/1.1 %b %b\r\n%b\r\n" % (status, _reason(status), block)


def _reason(status: bytes) -> bytes:
    try:
        return HTTPStatus(int(status)).phrase.encode("ascii")
    except ValueError:
        return b""
