"""Strict reading of the heads that backends answer with.

Rules (RFC 9112 §4, §5, §6.3):

- Every line is judged (`lines`): no folded lines, no bare CR or LF, no NUL, no space before a colon.
- One framing: both Content-Length and Transfer-Encoding, several Content-Lengths, or a coding other than ``chunked``
  (or any coding from HTTP/1.0) make the answer bad; the client gets 502 and the connection is closed.
- Hop-by-hop fields end here; all other fields go on in the order they came.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from .lines import Kind, LineMemory

__all__ = ["MAX_ANSWER_HEAD_BYTES", "AnswerError", "AnswerHead", "AnswerMarks", "AnswerReader", "StatusLine"]

MAX_ANSWER_HEAD_BYTES: Final = 64 * 1024

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?")
_NOT_CONNECTION_NAMED: Final = frozenset((b"content-length", b"set-cookie", b"date"))
#: Taken away whatever Connection says; the first three mean something here.
_MARKS: Final = frozenset((b"connection", b"transfer-encoding", b"upgrade"))
_HOP_BY_HOP: Final = _MARKS | {b"keep-alive", b"proxy-connection", b"te", b"trailer", b"close"}
#: Secrets, and what is unique to an answer.
_FLEETING: Final = frozenset(
    (
        b"set-cookie", b"x-request-id", b"x-correlation-id", b"traceparent", b"server-timing", b"x-amz-request-id",
        b"cf-ray", b"etag", b"x-trace-id", b"x-amz-id-2",
    )
)  # fmt: skip


class AnswerError(ValueError):
    """The answer breaks the rules; the sentence says how."""


class StatusLine:
    """A judged status line. Immutable; shared by the answers that begin with it."""

    __slots__ = ("bodyless", "minor", "reason", "status", "wire")

    def __init__(self, status: int, reason: bytes, minor: int = 1) -> None:
        self.status = status
        self.reason = reason
        self.minor = minor
        self.wire = b"HTTP/1.1 %d %b\r\n" % (status, reason)
        """As it goes to the client."""
        self.bodyless = status in (204, 304) or status < 200
        """The status alone says that there is no body (RFC 9112 §6.3)."""


class AnswerMarks:
    """What those lines of an answer say that mean something to agw. Immutable, shared."""

    __slots__ = ("chunked", "dated", "keep_alive", "named", "plain", "sized", "upgrade")

    def __init__(self) -> None:
        self.chunked = False
        self.sized = False
        self.dated = False
        self.plain = True
        """Nothing of these is taken away."""
        self.keep_alive = True
        self.upgrade: bytes | None = None
        self.named: frozenset[bytes] = frozenset()
        """Fields that Connection takes away, beside those that are taken away anyhow."""


_NO_MARKS = AnswerMarks()


class AnswerHead:
    """A backend's status line and fields. Immutable."""

    __slots__ = (
        "block", "bodyless", "chunked", "dated", "keep_alive", "length", "line", "status", "unchanged", "upgrade",
    )  # fmt: skip

    def __init__(self, line: StatusLine, block: bytes, length: int | None, marks: AnswerMarks) -> None:
        self.line = line
        self.status = line.status
        self.bodyless = line.bodyless
        self.block = block
        """The fields for the client, Content-Length among them, hop-by-hop fields not."""
        self.length = length
        """Content-Length, None without."""
        self.chunked = marks.chunked
        self.keep_alive = marks.keep_alive
        self.upgrade = marks.upgrade
        self.dated = marks.dated
        self.unchanged = False
        """The head may go to an HTTP/1.1 client exactly as it came."""

    @property
    def reason(self) -> bytes:
        """The reason phrase."""
        return self.line.reason

    @property
    def wire(self) -> bytes:
        """Status line and ``block``, without the empty line."""
        return self.line.wire + self.block

    def with_fields(self, fields: bytes, drops: frozenset[bytes] = frozenset()) -> AnswerHead:
        """The same head with more header lines (each with CR LF), and without those of the names in `drops` (in lower
        case, none of the framing)."""
        block = self.block
        if drops:
            lines = block.split(b"\r\n")
            block = b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() not in drops])
        head = AnswerHead(self.line, block + fields, self.length, _NO_MARKS)
        head.chunked, head.keep_alive = self.chunked, self.keep_alive
        head.upgrade, head.dated = self.upgrade, self.dated
        return head


class AnswerLines(LineMemory):
    """The lines of answers. A look-up raises `AnswerError`."""

    __slots__ = ()
    length_goes_on: ClassVar[bool] = True

    def fault(self, problem: str, detail: str) -> Exception:
        """For a 502."""
        return AnswerError("the head of the answer is malformed")

    def kind_of(self, name: bytes) -> Kind:
        """See the lists at the top of the module."""
        if name == b"content-length":
            return Kind.LENGTH
        if name == b"date":
            return Kind.SINGLE
        if name in _MARKS:
            return Kind.MARK
        if name in _HOP_BY_HOP:
            return Kind.DROPPED
        return Kind.FLEETING if name in _FLEETING else Kind.PLAIN


class AnswerReader:
    """Turns head bytes into `AnswerHead`s."""

    __slots__ = ("_known", "_lines", "_status_lines")

    _MAX_KNOWN = 1024
    _MAX_KNOWN_BYTES = 512

    def __init__(self) -> None:
        self._lines = AnswerLines()
        self._status_lines: dict[bytes, StatusLine] = {}
        self._known: tuple[dict[tuple[bytes, ...], AnswerMarks], ...] = ({}, {})

    def head(self, raw: bytes) -> AnswerHead:
        """The meaning of `raw`, a head with its empty line.

        Raises:
            AnswerError: it breaks the rules.
        """
        first, *split = raw[:-4].split(b"\r\n")
        line = self._status_lines.get(first) or self._status_line(first)
        lines = self._lines
        if lines.full:
            lines.forget()
        block = b"".join(map(lines.__getitem__, split))
        key = tuple(filter(None, map(lines.marks.get, split)))
        marks = self._known[line.minor].get(key)
        if marks is None:
            marks = self._judged(key, line.minor)
        length: int | None = None
        if marks.sized:
            for field in split:
                length = lines.lengths.get(field)
                if length is not None:
                    break
        head = AnswerHead(line, block, length, marks)
        if line.bodyless or marks.named:
            self._rarely(head, split, marks)
        elif marks.plain and marks.dated and raw == b"%b%b\r\n" % (line.wire, block):
            head.unchanged = True
        return head

    def _rarely(self, head: AnswerHead, split: list[bytes], marks: AnswerMarks) -> None:
        if head.bodyless and (head.chunked or (head.length and head.status != 304)):
            # A backend that announces a body where none can be may send it yet, into the next request's answer.
            head.keep_alive = False
        dropped = marks.named
        if head.status < 200 or head.status == 204:
            dropped |= {b"content-length"}
        if dropped:
            lines = self._lines
            head.block = b"".join([lines[line] for line in split if line.partition(b":")[0].lower() not in dropped])

    def _status_line(self, first: bytes) -> StatusLine:
        match = _STATUS_LINE.fullmatch(first)
        if match is None:
            raise AnswerError("the head of the answer is malformed")
        minor, status, reason = match.groups()
        line = StatusLine(int(status), reason or b"", int(minor))
        if len(first) <= 128:
            if len(self._status_lines) >= self._MAX_KNOWN:
                self._status_lines.clear()
            self._status_lines[first] = line
        return line

    def _judged(self, key: tuple[bytes, ...], minor: int) -> AnswerMarks:
        marks = _read(key, minor)
        if sum(map(len, key)) <= self._MAX_KNOWN_BYTES:
            known = self._known[minor]
            if len(known) >= self._MAX_KNOWN:
                known.clear()
            known[key] = marks
        return marks


def _read(tokens: tuple[bytes, ...], minor: int) -> AnswerMarks:
    marks = AnswerMarks()
    named: set[bytes] = set()
    lengths = 0
    codings: list[bytes] = []
    for token in tokens:
        name, _, value = token.partition(b":")
        value = value.strip(b" \t")
        if name == b"content-length":
            lengths += 1
        elif name == b"date":
            marks.dated = True
        else:
            marks.plain = False
        if name == b"connection":
            named.update(part.strip(b" \t").lower() for part in value.split(b","))
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"upgrade":
            marks.upgrade = value
    marks.keep_alive = minor == 1 or b"keep-alive" in named
    if b"close" in named:
        marks.keep_alive = False
    marks.named = frozenset(named - _NOT_CONNECTION_NAMED - _HOP_BY_HOP - {b""})
    if codings:
        if lengths:
            raise AnswerError("the answer has both Content-Length and Transfer-Encoding")
        if minor == 0:
            raise AnswerError("the answer has Transfer-Encoding in HTTP/1.0")
        if b",".join(codings).strip(b" \t").lower() != b"chunked":
            raise AnswerError("the answer has a transfer coding other than chunked")
        marks.chunked = True
    elif lengths:
        if lengths != 1:
            raise AnswerError("the answer's Content-Length is not one number")
        marks.sized = True
    return marks
