"""Header lines, judged one by one and remembered.

Both sides send the same lines again and again, if rarely the same block: beside ``User-Agent`` and ``Accept`` stand a
``traceparent``, a cookie, a request id that no other request has. So what is remembered is lines: those that vary are
judged, those that repeat are looked up, and what a block means is looked up by those of its lines that mean something
to agw (its *marks*).

A line with a secret in it, or one that never comes twice, is judged each time and not remembered.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import ClassVar, Final

from .request_line import HeadError

__all__ = ["ASSERTED", "ASSERTED_STARTS", "HOP_BY_HOP", "VALUE_BYTES", "Kind", "LineMemory", "RequestLines"]

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
#: What a field's value may hold (RFC 9110 §5.5, obs-text included): no CR, no LF, no NUL, no other control.
#: A table for `bytes.translate`: those stay what they are, all others become another. So a value is right when it is
#: what it was, which takes half the time of deleting from it what is right.
VALUE_BYTES: Final = bytes(code if code == 9 or 0x20 <= code != 0x7F else code ^ 1 for code in range(256))

#: Removed on the way (RFC 9110 §7.6.1), beside what Connection names. Framing is written anew.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
        b"content-length", b"host", b"http2-settings", b"expect", b"proxy-authorization",
    )
)  # fmt: skip
#: Names agw itself asserts; what a client sends under them is dropped, or read when the client is a trusted proxy.
ASSERTED: Final = frozenset(
    (
        b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-client-cert",
        b"forwarded", b"x-request-id", b"x-real-ip",
    )
)  # fmt: skip
#: What authentication asserts: begins of names. Nobody's word counts for these but agw's own.
ASSERTED_STARTS: Final = (b"x-jwt-claim-", b"x-api-key-owner")
#: Fields that may stand once only, beside Host and framing. The C parser holds this rule; it sees their names.
_SINGLE: Final = frozenset(
    (b"content-location", b"content-range", b"content-type", b"etag", b"max-forwards", b"server", b"user-agent")
)
#: Of a WebSocket handshake that was never standardised.
_REFUSED: Final = frozenset((b"sec-websocket-key1",))
#: Secrets, and what is unique to a request.
_FLEETING: Final = frozenset(
    (
        b"cookie", b"x-api-key", b"api-key", b"x-auth-token", b"x-csrf-token", b"x-xsrf-token",
        b"traceparent", b"tracestate", b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid",
        b"x-correlation-id", b"x-amzn-trace-id", b"x-cloud-trace-context", b"uber-trace-id", b"idempotency-key",
        b"sec-websocket-key",
    )
)  # fmt: skip


class Kind(IntEnum):
    """What a field's name makes of its line."""

    PLAIN = 0
    """Goes on as it is."""
    FLEETING = 1
    """The same, and is not remembered."""
    MARK = 2
    """Does not go on; its value means something to agw."""
    SINGLE = 3
    """Goes on; that it stands there is a mark, its value is not."""
    LENGTH = 4
    """Content-Length: that there is one is the mark, not its value."""
    DROPPED = 5
    """Does not go on, means nothing."""
    SWALLOWED = 6
    """The same, and is not remembered."""
    CREDENTIAL = 7
    """Like `FLEETING`, and handed out apart: whoever asks who is calling need not look for it."""


# A member of an enumeration costs a look-up of its own; these two are asked for every line.
_PLAIN: Final = Kind.PLAIN
_FLEET: Final = Kind.FLEETING


_MAX_BYTES: Final = 512 * 1024
_MAX_LINES: Final = 8192
_MAX_NAMES: Final = 1024


class LineMemory(dict[bytes, bytes]):
    """Maps a header line (without CR LF) to what of it goes on (with CR LF, or nothing).

    Asking for a line that is not there judges it: no line comes out that is not ``name: value`` by RFC 9112 §5.
    ``marks`` has the token that stands for a line which means something to agw. Tokens are header lines too, without
    CR LF: the name in lower case, and the value with its white space where it matters. A look-up raises what `fault`
    makes of the reason when the line is refused.
    """

    __slots__ = ("_held", "_kinds", "credential", "full", "lengths", "marks")

    length_goes_on: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[bytes, bytes] = {}
        self.lengths: dict[bytes, int] = {}
        """Lines of Content-Length, and how long they say the body is."""
        self.credential: bytes | None = None
        """The value of the last credential that was judged. Whoever judges a block sets it to None before."""
        self._kinds: dict[bytes, Kind] = {}
        self._held = 0
        self.full = False
        """Time to `forget`: between two blocks, since marks must stay while their block is judged."""

    def kind_of(self, name: bytes) -> Kind:
        """What a field of this (lower-case) name is. May raise `fault`."""
        raise NotImplementedError

    def fault(self, problem: str, detail: str) -> Exception:
        """The error for a line that is refused."""
        raise NotImplementedError

    def forget(self) -> None:
        """Begin anew."""
        self.clear()
        self.marks.clear()
        self.lengths.clear()
        self._kinds.clear()
        self._held = 0
        self.full = False

    def kind(self, name: bytes) -> Kind | None:
        """What a field of this name, as it is written, was found to be; None when that is not remembered."""
        return self._kinds.get(name)

    def __missing__(self, line: bytes) -> bytes:
        name, colon, rest = line.partition(b":")
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kind(name)
        if not colon or rest.translate(VALUE_BYTES) != rest:
            raise self.fault("malformed-header", "a header line is not 'name: value'")
        value = rest.strip(b" \t")
        # Most write it as agw does: then the line needs its end only.
        canonical = len(rest) == len(value) + 1 and rest[:1] == b" "
        wire = line + b"\r\n" if canonical else b"%b: %b\r\n" % (name, value)
        if kind is _FLEET:
            return wire
        if kind is not _PLAIN:
            if kind is Kind.CREDENTIAL:
                # Two of them are one that nobody issued (RFC 9110 §5.3).
                before = self.credential
                self.credential = value if before is None else b"%b, %b" % (before, value)
                return wire
            if kind is Kind.SWALLOWED:
                return b""
            wire = self._marked(line, name, rest, value, kind, wire)
        self._held += len(line)
        self.full = self._held > _MAX_BYTES or len(self) >= _MAX_LINES
        self[line] = wire
        return wire

    def _marked(self, line: bytes, name: bytes, rest: bytes, value: bytes, kind: Kind, wire: bytes) -> bytes:
        """Note the mark of `line`; what of it goes on."""
        if kind is Kind.DROPPED:
            return b""
        if kind is Kind.MARK:
            self.marks[line] = b"%b:%b" % (name.lower(), rest)
            return b""
        if kind is Kind.SINGLE:
            self.marks[line] = b"%b: -" % name.lower()
            return wire
        if not _LENGTH.fullmatch(value):
            raise self.fault("malformed-framing", "Content-Length is not one number of at most 15 digits")
        self.lengths[line] = length = int(value)
        self.marks[line] = b"content-length:" + rest.replace(value, b"1" if length else b"0")
        return wire if self.length_goes_on else b""

    def _kind(self, name: bytes) -> Kind:
        if not _NAME.fullmatch(name):
            raise self.fault("malformed-header", "a header line is not 'name: value'")
        kind = self.kind_of(name.lower())
        if len(name) <= 64:
            if len(self._kinds) >= _MAX_NAMES:
                self._kinds.clear()
            self._kinds[name] = kind
        return kind


class RequestLines(LineMemory):
    """The lines of requests. A look-up raises `HeadError` 400."""

    __slots__ = ()

    def fault(self, problem: str, detail: str) -> Exception:
        """400."""
        return HeadError(400, problem, detail)

    def kind_of(self, name: bytes) -> Kind:
        """See the lists at the top of the module."""
        if name == b"content-length":
            return Kind.LENGTH
        if name == b"authorization":
            return Kind.CREDENTIAL
        # Close is reserved (RFC 9110 §7.6.1): Connection: close must not need a look for a field of that name.
        if name in (b"x-request-id", b"proxy-authorization"):
            return Kind.SWALLOWED
        if name in ASSERTED or name == b"close":
            return Kind.DROPPED
        if name.replace(b"_", b"-").startswith(ASSERTED_STARTS):
            return Kind.DROPPED
        if name in HOP_BY_HOP or name == b"via":
            return Kind.MARK
        if name in _SINGLE:
            return Kind.SINGLE
        if name in _REFUSED:
            raise self.fault("malformed-header", f"{name.decode()} is refused")
        if b"_" in name:
            # Backends that turn fields into variables take _ for -: that must not be a way round the rules for -.
            alias = name.replace(b"_", b"-")
            if alias in HOP_BY_HOP:
                raise self.fault("malformed-header", f"{name.decode()} could be taken for {alias.decode()}")
            if alias in ASSERTED or alias == b"via":
                return Kind.DROPPED
        return Kind.FLEETING if name in _FLEETING else Kind.PLAIN
