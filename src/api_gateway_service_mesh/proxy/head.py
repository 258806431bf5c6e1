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

Clients on one connection send the same header block again and again, so blocks are remembered by their bytes: two
generations of bounded size. A remembered block was judged in full the first time.
"""

from __future__ import annotations

import re
from typing import Final

from api_gateway_service_mesh.model import Limits

from .parser import BlockJudge
from .request_line import HeadError, judged_host

__all__ = ["Block", "HeadReader"]

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_BLOCK: Final = re.compile(rb"(?:" + _NAME + rb":" + _VALUE + rb"+\r\n)*+")
# For a block that is known to be well formed.
_FIELD: Final = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")
_TOKEN_LIST: Final = re.compile(rb"[ \t]*(?:" + _NAME + rb")?[ \t]*(?:,[ \t]*(?:" + _NAME + rb")?[ \t]*)*+")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

#: Removed on the way (RFC 9110 §7.6.1), beside what Connection names. Framing is written anew.
_HOP_BY_HOP: Final = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
        b"content-length", b"host", b"http2-settings", b"expect", b"proxy-authorization",
    )
)  # fmt: skip
#: Names agw itself asserts; what a client sends under them is dropped, or read when the client is a trusted proxy.
_ASSERTED: Final = frozenset(
    (
        b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-client-cert",
        b"forwarded", b"x-request-id", b"via", b"x-real-ip",
    )
)  # fmt: skip
_SPECIAL: Final = _HOP_BY_HOP | _ASSERTED
#: Connection may not take these away (RFC 9110 §7.6.1: not end-to-end fields; here also what was authenticated with).
_NOT_CONNECTION_NAMED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"authorization", b"cookie")
)


class Block:
    """What a header block says. Immutable; shared by all requests that carry the same bytes."""

    __slots__ = (
        "_headers", "authority", "chunked", "close", "count", "expect", "fields", "forward", "forwarded", "framing",
        "host", "keep_alive", "length", "request_id", "upgrade", "via", "x_forwarded_for", "x_forwarded_host",
        "x_forwarded_proto",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = 0
        self.host = ""
        self.authority: bytes | None = None
        self.length = 0
        """Content-Length, 0 without."""
        self.chunked = False
        self.close = False
        self.keep_alive = False
        self.upgrade: bytes | None = None
        """The protocol asked for, when Connection names Upgrade."""
        self.expect = False
        self.forward = b""
        """The fields that go upstream as they are."""
        self.framing = b""
        """The one framing field that goes upstream, if any."""
        self.fields: list[tuple[bytes, bytes]] = []
        self.x_forwarded_for = b""
        self.x_forwarded_proto = b""
        self.x_forwarded_host = b""
        self.forwarded = b""
        self.request_id = b""
        self.via = b""
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """All fields by lower-case name; several of one name are joined by ``, `` (RFC 9110 §5.3)."""
        found = self._headers
        if found is None:
            found = {}
            for name, value in self.fields:
                key, text = name.decode("ascii").lower(), value.decode("utf-8", "replace")
                found[key] = f"{found[key]}, {text}" if key in found else text
            self._headers = found
        return found

    def check_version(self, minor: int) -> None:
        """Raise when the block cannot stand in a request of HTTP/1.`minor`."""
        if minor == 0:
            if self.chunked:
                raise HeadError(400, "malformed-framing", "Transfer-Encoding in an HTTP/1.0 request")
        elif self.authority is None:
            raise HeadError(400, "malformed-host", "an HTTP/1.1 request must have a Host field")


class HeadReader:
    """Turns header blocks into `Block`s, with a memory."""

    __slots__ = ("_judge", "_old", "_young")

    _GENERATION = 512
    _MAX_REMEMBERED_BYTES = 2048

    def __init__(self, judge: BlockJudge) -> None:
        self._judge = judge
        self._young: dict[bytes, Block] = {}
        self._old: dict[bytes, Block] = {}

    def block(self, raw: bytes, limits: Limits) -> Block:
        """The meaning of the header lines `raw` (each with its CR LF, without the empty line).

        Raises:
            HeadError: 400, 417, 431 or 501.
        """
        block = self._young.get(raw)
        if block is None:
            block = self._old.get(raw)
            if block is None:
                if len(raw) > limits.max_header_bytes:
                    raise HeadError(
                        431, "header-fields-too-large", f"the header fields are over {limits.max_header_bytes} bytes"
                    )
                if raw.count(b"\r\n") > limits.max_header_count:
                    raise HeadError(
                        431, "header-fields-too-large", f"there are over {limits.max_header_count} header fields"
                    )
                block = self._parse(raw)
            if len(raw) <= self._MAX_REMEMBERED_BYTES:
                if len(self._young) >= self._GENERATION:
                    self._old, self._young = self._young, {}
                self._young[raw] = block
        if block.count > limits.max_header_count or len(raw) > limits.max_header_bytes:
            raise HeadError(431, "header-fields-too-large", "the header fields are over this listener's limits")
        return block

    def _parse(self, raw: bytes) -> Block:
        if not _BLOCK.fullmatch(raw):
            raise HeadError(400, "malformed-header", "a header line is not 'name: value'")
        block = read_fields([(name, value.rstrip(b" \t")) for name, value in _FIELD.findall(raw)])
        reason = self._judge.verdict(
            raw,
            has_host=block.authority is not None,
            leaves_state=block.chunked or block.length > 0 or block.close or block.upgrade is not None,
        )
        if reason is not None:
            raise HeadError(400, "malformed-header", reason)
        return block


def read_fields(pairs: list[tuple[bytes, bytes]]) -> Block:
    """The `Block` of fields that are well formed one by one."""
    block = Block()
    block.count = len(pairs)
    block.fields = pairs
    forward: list[tuple[bytes, bytes]] = []
    marked: list[tuple[bytes, bytes]] = []
    for field in pairs:
        name = field[0].lower()
        if name == b"host":
            if block.authority is not None:
                raise HeadError(400, "malformed-host", "there is more than one Host field")
            block.authority = field[1]
            block.host = judged_host(field[1])
        elif name in _SPECIAL:
            marked.append((name, field[1]))
        elif b"_" not in name or not _is_alias(name):
            forward.append(field)
    if marked:
        named = _special(block, marked)
        if named:
            forward = [field for field in forward if field[0].lower() not in named]
    block.forward = b"".join([b"%b: %b\r\n" % field for field in forward])
    return block


def _is_alias(name: bytes) -> bool:
    """Whether `name`, with an underscore, could be taken for one that agw asserts: those are dropped."""
    alias = name.replace(b"_", b"-")
    if alias in _HOP_BY_HOP:
        raise HeadError(400, "malformed-header", f"{name.decode()} could be taken for {alias.decode()}")
    return alias in _ASSERTED


def _special(block: Block, fields: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Take in the fields that mean something to agw; the names that Connection takes away."""
    named = _connection(block, fields)
    upgrade: list[bytes] = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for name, value in fields:
        if name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"upgrade":
            upgrade.append(value)
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise HeadError(417, "expectation-failed", "the only expectation known is 100-continue")
            block.expect = True
        elif name in _ASSERTED:
            _note_asserted(block, name, value)
    _framing(block, lengths, codings)
    if upgrade and b"upgrade" in named:
        if block.chunked or block.length:
            raise HeadError(400, "malformed-request", "a request to upgrade must not have a body")
        block.upgrade = b", ".join(upgrade)
    return named


def _connection(block: Block, fields: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    named: set[bytes] = set()
    for name, value in fields:
        if name == b"connection":
            if not _TOKEN_LIST.fullmatch(value):
                raise HeadError(400, "malformed-header", "the Connection field is not a list of names")
            named.update(token.strip(b" \t").lower() for token in value.split(b","))
    block.close = b"close" in named
    block.keep_alive = b"keep-alive" in named
    return frozenset(named - _NOT_CONNECTION_NAMED)


def _framing(block: Block, lengths: list[bytes], codings: list[bytes]) -> None:
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
        block.chunked = True
        block.framing = b"Transfer-Encoding: chunked\r\n"
    elif lengths:
        if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
            raise HeadError(400, "malformed-framing", "Content-Length is not one number of at most 15 digits")
        block.length = int(lengths[0])
        block.framing = b"Content-Length: %d\r\n" % block.length


def _note_asserted(block: Block, name: bytes, value: bytes) -> None:
    if name == b"x-forwarded-for":
        block.x_forwarded_for = _listed(block.x_forwarded_for, value)
    elif name == b"x-forwarded-proto":
        block.x_forwarded_proto = value
    elif name == b"x-forwarded-host":
        block.x_forwarded_host = value
    elif name == b"forwarded":
        block.forwarded = _listed(block.forwarded, value)
    elif name == b"x-request-id":
        block.request_id = value
    elif name == b"via":
        block.via = _listed(block.via, value)


def _listed(before: bytes, value: bytes) -> bytes:
    return b"%b, %b" % (before, value) if before else value
