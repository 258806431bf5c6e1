"""Strict reading of the heads that backends answer with.

Rules (RFC 9112 §4, §5, §6.3):

- The whole head is matched by one expression: no folded lines, no bare CR or LF, no NUL, no space before a colon.
- One framing: both Content-Length and Transfer-Encoding, several Content-Lengths, or a coding other than ``chunked``
  (or any coding from HTTP/1.0) make the answer bad; the client gets 502 and the connection is closed.
- Hop-by-hop fields end here; all other fields go on as they stand.

Backends repeat their heads (``Date`` changes once a second), so heads are remembered by their bytes as requests' are.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_ANSWER_HEAD_BYTES", "AnswerError", "AnswerHead", "AnswerReader"]

MAX_ANSWER_HEAD_BYTES: Final = 64 * 1024

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?\r\n((?:"
    + _NAME
    + rb":"
    + _VALUE
    + rb"+\r\n)*+)\r\n"
)
# For a block that is known to be well formed.
_FIELD: Final = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")
# Anything here means that the block cannot go on as it stands.
_SPECIAL: Final = re.compile(
    rb"(?:\A|\n)(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length)[ \t]*:",
    re.IGNORECASE,
)
_DATE: Final = re.compile(rb"(?:\A|\n)date:", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_NOT_CONNECTION_NAMED: Final = frozenset((b"content-length", b"set-cookie", b"date"))


class AnswerError(ValueError):
    """The answer breaks the rules; the sentence says how."""


class AnswerHead:
    """A backend's status line and fields. Immutable; shared by equal heads."""

    __slots__ = (
        "block",
        "chunked",
        "dated",
        "keep_alive",
        "length",
        "reason",
        "status",
        "unchanged",
        "upgrade",
        "wire",
    )

    def __init__(self, status: int, reason: bytes, block: bytes) -> None:
        self.status = status
        self.reason = reason
        self.block = block
        """The fields for the client, Content-Length among them, hop-by-hop fields not."""
        self.length: int | None = None
        """Content-Length, None without."""
        self.chunked = False
        self.keep_alive = True
        self.upgrade: bytes | None = None
        self.dated = False
        self.unchanged = False
        """The head may go to an HTTP/1.1 client exactly as it came."""
        self.wire = b""
        """Status line and ``block``, without the empty line."""

    @property
    def bodyless(self) -> bool:
        """The status alone says that there is no body (RFC 9112 §6.3)."""
        return self.status in (204, 304) or self.status < 200


class AnswerReader:
    """Turns head bytes into `AnswerHead`s, with a memory."""

    __slots__ = ("_old", "_young")

    _GENERATION = 512
    _MAX_REMEMBERED_BYTES = 2048

    def __init__(self) -> None:
        self._young: dict[bytes, AnswerHead] = {}
        self._old: dict[bytes, AnswerHead] = {}

    def head(self, raw: bytes) -> AnswerHead:
        """The meaning of `raw`, a head with its empty line.

        Raises:
            AnswerError: it breaks the rules.
        """
        head = self._young.get(raw)
        if head is None:
            head = self._old.get(raw)
            if head is None:
                head = _parse(raw)
            if len(raw) <= self._MAX_REMEMBERED_BYTES:
                if len(self._young) >= self._GENERATION:
                    self._old, self._young = self._young, {}
                self._young[raw] = head
        return head


def _parse(raw: bytes) -> AnswerHead:
    match = _HEAD.fullmatch(raw)
    if match is None:
        raise AnswerError("the head of the answer is malformed")
    minor, status, reason, block = match.groups()
    head = AnswerHead(int(status), reason or b"", block)
    head.dated = _DATE.search(block) is not None
    head.keep_alive = minor == b"1"
    if _SPECIAL.search(block):
        _judge(head, [(name, value.rstrip(b" \t")) for name, value in _FIELD.findall(block)], minor == b"1")
    head.wire = b"HTTP/1.1 %b %b\r\n%b" % (status, head.reason, head.block)
    head.unchanged = head.dated and raw == head.wire + b"\r\n"
    return head


def _judge(head: AnswerHead, pairs: list[tuple[bytes, bytes]], modern: bool) -> None:
    named: set[bytes] = set()
    for name, value in pairs:
        if name.lower() == b"connection":
            named.update(token.strip(b" \t").lower() for token in value.split(b","))
    if b"close" in named:
        head.keep_alive = False
    elif b"keep-alive" in named and not modern:
        head.keep_alive = True
    dropped = named - _NOT_CONNECTION_NAMED
    lengths: list[bytes] = []
    codings: list[bytes] = []
    kept: list[bytes] = []
    for name, value in pairs:
        key = name.lower()
        if key == b"content-length":
            lengths.append(value)
            if head.status >= 200 and head.status != 204:
                kept.append(b"%b: %b\r\n" % (name, value))
        elif key == b"transfer-encoding":
            codings.append(value)
        elif key == b"upgrade":
            head.upgrade = value
        elif key not in _HOP_BY_HOP and key not in dropped:
            kept.append(b"%b: %b\r\n" % (name, value))
    if codings:
        if lengths:
            raise AnswerError("the answer has both Content-Length and Transfer-Encoding")
        if not modern:
            raise AnswerError("the answer has Transfer-Encoding in HTTP/1.0")
        if b",".join(codings).strip(b" \t").lower() != b"chunked":
            raise AnswerError("the answer has a transfer coding other than chunked")
        head.chunked = True
    elif lengths:
        if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
            raise AnswerError("the answer's Content-Length is not one number")
        head.length = int(lengths[0])
    if head.bodyless and (head.chunked or (head.length and head.status != 304)):
        # A backend that announces a body where none can be may send it yet, into the next request's answer.
        head.keep_alive = False
    head.block = b"".join(kept)
