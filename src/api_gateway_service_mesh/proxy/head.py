"""The one head checker: what a request's head must be before anything is decided on it.

Rules (RFC 9112, and stricter where parsers are known to differ):

- One parse, one canonical form. The line gives method, target, path, query and version; the block of header lines
  gives a `Block`, from which the head that goes upstream is written anew. Raw lines are never copied.
- Version exactly HTTP/1.0 or HTTP/1.1; Host exactly once and by grammar; an absolute-form target replaces it.
- One framing: Content-Length is one line of at most 15 digits, Transfer-Encoding is ``chunked`` alone and only on
  HTTP/1.1, never both.
- The path that is routed is the path that goes upstream, byte for byte: whatever a backend might resolve differently
  (dot segments, encoded or not, backslashes, ``%00``) is refused.
- Refuse, do not drop in silence.

Lines are judged one by one (`lines`). What they mean together is judged by their marks: the few that frame the message,
name its host, or may stand once only. Marks that were never seen together are given to the C parser as well.
"""

from __future__ import annotations

import re
from typing import Final, cast

from api_gateway_service_mesh.model import Limits

from .head_pattern import HeadPattern, canonical
from .lines import ASSERTED, HOP_BY_HOP, Kind, RequestLines
from .parser import BlockJudge
from .request_line import HeadError, judged_host

__all__ = ["Block", "HeadReader", "Marks"]

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TOKEN_LIST: Final = re.compile(rb"[ \t]*+(?:" + _NAME + rb")?[ \t]*+(?:,[ \t]*+(?:" + _NAME + rb")?[ \t]*+)*")
#: Begins of lines that may speak of traces, in whichever way (see `propagation`). Letters of either case are written
#: out: a pattern that ignores case is tried at every byte, which took ten times as long.
_TRACE_LINE: Final = re.compile(
    rb"\n(?:[tT][rR][aA][cC][eE][pPsS]|[bB](?:3:|[aA][gG][gG])|[xX]-[bB]3-|[uU][bB][eE][rR]-)"
)
#: Connection may not take these away (RFC 9110 §7.6.1: not end-to-end fields; here also what was authenticated with).
_NOT_CONNECTION_NAMED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"authorization", b"cookie")
)


class Marks:
    """What those lines of a block say that mean something to agw. Immutable; shared by blocks with the same marks."""

    __slots__ = (
        "authority", "chunked", "close", "expect", "host", "keep_alive", "named", "sized", "trailers",
        "upgrade", "via", "websocket",
    )  # fmt: skip

    def __init__(self) -> None:
        self.host = ""
        self.authority: bytes | None = None
        self.sized = False
        """There is a Content-Length, 0 or more."""
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.upgrade: bytes | None = None
        """The protocol asked for, when Connection names Upgrade."""
        self.websocket = False
        self.expect = False
        self.trailers = False
        """The client takes trailers behind the answer's body (RFC 9110 §10.1.4)."""
        self.named: frozenset[bytes] = frozenset()
        """Fields that Connection takes away, beside those that are taken away anyhow."""
        self.via = b""

    def check_version(self, minor: int) -> None:
        """Raise when these cannot stand in a request of HTTP/1.`minor`."""
        if minor == 0:
            if self.chunked:
                raise HeadError(400, "malformed-framing", "Transfer-Encoding in an HTTP/1.0 request")
        elif self.authority is None:
            raise HeadError(400, "malformed-host", "an HTTP/1.1 request must have a Host field")


class Block:
    """What a header block says. Immutable."""

    __slots__ = (
        "_asserted", "_headers", "_lines", "_raw", "_traceless", "authorization", "forward", "length", "marks",
    )  # fmt: skip

    def __init__(
        self,
        marks: Marks,
        raw: bytes,
        forward: bytes,
        length: int,
        authorization: bytes | None,
        traceless: bool | None = None,
    ) -> None:
        self.authorization = authorization
        """The Authorization field; several are joined as in `headers`."""
        self.marks = marks
        self._raw = raw
        self._lines: list[bytes] | None = None
        self.forward = forward
        """The fields that go upstream as they are; empty in a block that `last_head` knew again, which has them."""
        self.length = length
        """Content-Length, 0 without."""
        self._headers: dict[str, str] | None = None
        self._asserted: dict[bytes, bytes] | None = None
        self._traceless = traceless

    @property
    def traceless(self) -> bool:
        """No field speaks of traces."""
        known = self._traceless
        if known is None:
            known = self._traceless = _TRACE_LINE.search(b"\n" + self._raw) is None
        return known

    @property
    def lines(self) -> list[bytes]:
        """The header lines, without their ends."""
        lines = self._lines
        if lines is None:
            lines = self._lines = self._raw.split(b"\r\n")
            lines.pop()
        return lines

    @property
    def count(self) -> int:
        """How many fields there are."""
        return len(self.lines)

    @property
    def host(self) -> str:
        """The host asked for, as routes state it."""
        return self.marks.host

    @property
    def authority(self) -> bytes | None:
        """The Host field."""
        return self.marks.authority

    @property
    def chunked(self) -> bool:
        """The body comes in chunks."""
        return self.marks.chunked

    @property
    def framing(self) -> bytes:
        """The one framing field that goes upstream, if any."""
        if self.marks.sized:
            return b"Content-Length: %d\r\n" % self.length
        return b"Transfer-Encoding: chunked\r\n" if self.marks.chunked else b""

    @property
    def headers(self) -> dict[str, str]:
        """All fields by lower-case name; several of one name are joined by ``, `` (RFC 9110 §5.3)."""
        found = self._headers
        if found is None:
            found = {}
            for line in self.lines:
                name, _, value = line.partition(b":")
                key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("utf-8", "replace")
                found[key] = f"{found[key]}, {text}" if key in found else text
            self._headers = found
        return found

    def header(self, name: str) -> str | None:
        """One field of `headers`; cheaper, for who needs only that one."""
        found = self._headers
        if found is not None:
            return found.get(name)
        start = name.encode("utf-8") + b":"
        size = len(start)
        values = [line[size:].strip(b" \t") for line in self.lines if line[:size].lower() == start]
        return b", ".join(values).decode("utf-8", "replace") if values else None

    @property
    def asserted(self) -> dict[bytes, bytes]:
        """The fields in which a proxy before this one speaks of the client; to be believed of trusted ones only."""
        found = self._asserted
        if found is None:
            found = self._asserted = {}
            for line in self.lines:
                name, _, value = line.partition(b":")
                name = name.lower()
                if name in ASSERTED:
                    value = value.strip(b" \t")
                    if name in found and name in (b"x-forwarded-for", b"forwarded"):
                        value = b"%b, %b" % (found[name], value)
                    found[name] = value
        return found


class HeadReader:
    """Turns header blocks into `Block`s."""

    __slots__ = ("_judge", "_known", "_lines")

    _MAX_KNOWN = 4096
    _MAX_KNOWN_BYTES = 512

    def __init__(self, judge: BlockJudge) -> None:
        self._judge = judge
        self._lines = RequestLines()
        self._known: dict[tuple[bytes, ...], Marks] = {}

    def block(self, raw: bytes, limits: Limits) -> Block:
        """The meaning of the header lines `raw` (each with its CR LF, without the empty line).

        Raises:
            HeadError: 400, 417, 431 or 501.
        """
        if len(raw) > limits.max_header_bytes:
            raise HeadError(
                431, "header-fields-too-large", f"the header fields are over {limits.max_header_bytes} bytes"
            )
        split = raw.split(b"\r\n")
        if split.pop():
            raise HeadError(400, "malformed-header", "a header line has no end")
        if len(split) > limits.max_header_count:
            raise HeadError(431, "header-fields-too-large", f"there are over {limits.max_header_count} header fields")
        lines = self._lines
        if lines.full:
            lines.forget()
        lines.credential = cast("bytes | None", None)  # said to be optional still: the look-ups below may set it
        forward = b"".join(map(lines.__getitem__, split))
        authorization = lines.credential
        key = tuple(filter(None, map(lines.marks.get, split)))
        marks = self._known.get(key)
        if marks is None:
            marks = self._judged(key)
        if marks.named:
            named = marks.named
            forward = b"".join([lines[line] for line in split if line.partition(b":")[0].lower() not in named])
        length = 0
        if marks.sized:
            lengths = lines.lengths
            for line in split:
                if line in lengths:
                    length = lengths[line]
                    break
        return Block(marks, raw, forward, length, authorization)

    def pattern(self, block: Block) -> HeadPattern | None:
        """How heads like that of `block` look, which this has just judged; None when nothing in it may vary."""
        if block.marks.named:
            return None
        lines = self._lines
        pattern = HeadPattern(block.marks, block.length)
        for line in block.lines:
            name, _, rest = line.partition(b":")
            kind = lines.kind(name)
            if kind is None:
                return None
            if (kind is Kind.FLEETING or kind is Kind.CREDENTIAL or kind is Kind.SWALLOWED) and canonical(rest):
                if not pattern.vary(name, kind):
                    return None
            elif kind is Kind.CREDENTIAL:
                return None  # who reads a pattern asks it for the credential
            else:
                pattern.stay(line, lines[line])
        pattern.traceless = block.traceless
        return pattern if pattern.varies else None

    def _judged(self, key: tuple[bytes, ...]) -> Marks:
        marks = _read(key)
        block = b"".join([b"%b\r\n" % token for token in key])
        reason = self._judge.verdict(block, has_host=marks.authority is not None)
        if reason is not None:
            raise HeadError(400, "malformed-header", reason)
        if len(block) <= self._MAX_KNOWN_BYTES:
            if len(self._known) >= self._MAX_KNOWN:
                self._known.clear()
            self._known[key] = marks
        return marks


def _read(tokens: tuple[bytes, ...]) -> Marks:
    marks = Marks()
    named: set[bytes] = set()
    upgrade: list[bytes] = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for token in tokens:
        name, _, value = token.partition(b":")
        value = value.strip(b" \t")
        if name == b"host":
            if marks.authority is not None:
                raise HeadError(400, "malformed-host", "there is more than one Host field")
            marks.authority = value
            marks.host = judged_host(value)
        elif name == b"connection":
            if not _TOKEN_LIST.fullmatch(value):
                raise HeadError(400, "malformed-header", "the Connection field is not a list of names")
            named.update(part.strip(b" \t").lower() for part in value.split(b","))
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"upgrade":
            upgrade.append(value)
        elif name == b"te":
            marks.trailers = marks.trailers or b"trailers" in [part.strip(b" \t") for part in value.lower().split(b",")]
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise HeadError(417, "expectation-failed", "the only expectation known is 100-continue")
            marks.expect = True
        elif name == b"via":
            marks.via = b"%b, %b" % (marks.via, value) if marks.via else value
    marks.close = b"close" in named
    marks.keep_alive = b"keep-alive" in named
    marks.named = frozenset(named - _NOT_CONNECTION_NAMED - HOP_BY_HOP - {b"", b"close"})
    _framing(marks, lengths, codings)
    if upgrade and b"upgrade" in named:
        if marks.chunked or lengths == [b"1"]:
            raise HeadError(400, "malformed-request", "a request to upgrade must not have a body")
        marks.upgrade = b", ".join(upgrade)
        marks.websocket = marks.upgrade.lower() == b"websocket"
    return marks


def _framing(marks: Marks, lengths: list[bytes], codings: list[bytes]) -> None:
    """RFC 9112 §6.1 to §6.3; see the rules at the top."""
    if codings:
        if lengths:
            raise HeadError(400, "malformed-framing", "both Content-Length and Transfer-Encoding")
        coding = b",".join(codings).strip(b" \t").lower()
        if coding != b"chunked":
            known = coding and b"chunked" not in coding
            raise HeadError(
                501 if known else 400, "malformed-framing", "the only transfer coding taken is chunked, once"
            )
        marks.chunked = True
    elif lengths:
        if len(lengths) != 1:
            raise HeadError(400, "malformed-framing", "there is more than one Content-Length")
        marks.sized = True
