"""What a shared cache may store, and for how long it may use it (RFC 9111, RFC 5861), from fields and times alone.

Times are seconds of one monotonic clock, wall-clock times seconds since 1970; both come as arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from api_gateway_service_mesh.model import Cache

from .cache_fields import LONGEST, Lines, combined, delta_seconds, directives, fingerprint, http_date, list_members

__all__ = [
    "Asked",
    "Stored",
    "Use",
    "asked",
    "fails",
    "in_304",
    "merged",
    "not_modified",
    "stored",
    "tags_of",
    "use",
    "varies",
    "whole_lines",
]

#: Fresh by default where nothing says how long (RFC 9110 §15.1); 206 is not stored here.
_HEURISTIC: Final = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
#: What must-understand may be about: statuses whose rules about storing this keeps.
_UNDERSTOOD: Final = _HEURISTIC | {302, 303, 307, 400, 401, 403, 406, 500, 502, 503, 504}
_ERRORS: Final = frozenset((500, 502, 503, 504))
"""What stale-if-error is about (RFC 5861 §4)."""
#: Of a 304 these do not take the place of what is stored (RFC 9111 §3.2).
_NOT_UPDATED: Final = frozenset(
    (b"content-length", b"content-encoding", b"content-type", b"content-range", b"transfer-encoding", b"connection")
)
#: What a 304 has of a stored answer (RFC 9110 §15.4.5), and what else does no harm.
_IN_304: Final = frozenset(
    (b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary", b"last-modified", b"cache-status")
)
#: Of a part they would say something else.
_OF_THE_WHOLE: Final = frozenset((b"content-length", b"content-md5", b"content-digest"))
_ENTRY_BYTES: Final = 512
"""What an entry takes beside its bytes, about."""


class Use(IntEnum):
    """What may be done with a stored answer."""

    FRESH = 0
    STALE = 1
    """Give it, and fetch it anew behind it (stale-while-revalidate)."""
    VALIDATE = 2
    """Ask the backend first; should that fail, it may be given all the same (stale-if-error)."""
    VALIDATE_STRICTLY = 3
    """Ask the backend first."""


class Asked:
    """What a request says about caches."""

    __slots__ = ("max_age", "max_stale", "min_fresh", "no_cache", "no_store", "only_if_cached")

    def __init__(self) -> None:
        self.no_cache = False
        self.no_store = False
        self.only_if_cached = False
        self.max_age = -1
        self.min_fresh = -1
        self.max_stale = -1


_NOTHING: Final = Asked()


def asked(control: str | None, pragma: str | None, heeds: bool) -> Asked:
    """From Cache-Control and Pragma. Who is not heeded may still say that nothing is to be stored, and that nobody is
    to be asked."""
    if control is None and pragma is None:
        return _NOTHING
    said = directives(control.encode("utf-8", "replace") if control is not None else None)
    found = Asked()
    found.no_store = b"no-store" in said
    found.only_if_cached = b"only-if-cached" in said
    if not heeds:
        return found
    found.no_cache = b"no-cache" in said
    if control is None and pragma is not None:
        found.no_cache = b"no-cache" in directives(pragma.encode("utf-8", "replace"))
    if b"max-age" in said:
        found.max_age = delta_seconds(said[b"max-age"])
    if b"min-fresh" in said:
        found.min_fresh = delta_seconds(said[b"min-fresh"])
    if b"max-stale" in said:
        stated = said[b"max-stale"]
        found.max_stale = LONGEST if stated is None else delta_seconds(stated)
    return found


class Stored:
    """An answer that is kept. Once it has its body it never changes: one that is validated takes its place."""

    __slots__ = (
        "block",
        "born",
        "etag",
        "initial_age",
        "last_modified",
        "lifetime",
        "made",
        "no_cache",
        "payload",
        "reason",
        "size",
        "stale_error",
        "stale_while",
        "status",
        "strict",
        "tags",
        "taken",
        "url",
        "vary",
        "wall",
    )  # fmt: skip

    def __init__(self, status: int, reason: bytes, block: bytes, payload: bytes) -> None:
        self.status = status
        self.reason = reason
        self.block = block
        """Header lines as they are given out, without Age."""
        self.payload = payload
        self.born = 0.0
        """When the request was made that this answers, monotonic: what was purged since is not to be used."""
        self.taken = 0.0
        """When it came, monotonic."""
        self.wall = 0.0
        """The same, since 1970."""
        self.made: float | None = None
        """What Date says, since 1970."""
        self.initial_age = 0.0
        self.lifetime = 0.0
        self.no_cache = False
        self.strict = False
        """Never to be used stale without asking."""
        self.stale_while = 0.0
        self.stale_error = 0.0
        self.etag: bytes | None = None
        self.last_modified: bytes | None = None
        self.vary: tuple[tuple[bytes, bytes], ...] = ()
        """Request fields that it varies by, with the fingerprints of what its request said."""
        self.tags: tuple[bytes, ...] = ()
        self.url = b""
        self.size = _ENTRY_BYTES + len(block) + len(payload)

    def fill(self, payload: bytes) -> None:
        """Its body is there."""
        self.payload = payload
        self.size = _ENTRY_BYTES + len(self.block) + len(payload)

    def age(self, now: float) -> float:
        """Its age (RFC 9111 §4.2.3)."""
        return self.initial_age + now - self.taken

    @property
    def validator(self) -> bool:
        """The backend can be asked whether it still holds."""
        return self.etag is not None or self.last_modified is not None

    def conditions(self) -> bytes:
        """The header lines that ask so."""
        found = b"" if self.etag is None else b"If-None-Match: %b\r\n" % self.etag
        if self.last_modified is not None:
            found += b"If-Modified-Since: %b\r\n" % self.last_modified
        return found

    def matches(self, request: Lines) -> bool:
        """Whether it is for a request with these fields (RFC 9111 §4.1)."""
        return all(fingerprint(request, name) == wanted for name, wanted in self.vary)


def varies(lines: Lines) -> list[bytes] | None:
    """The request fields that an answer varies by; None: by what nobody can see."""
    value = combined(lines, b"vary")
    names = [] if value is None else list_members(value)
    return None if b"*" in names else sorted(set(names))


def tags_of(lines: Lines) -> tuple[bytes, ...]:
    """The tags of an answer: Surrogate-Key (by white space), Cache-Tag (by commas)."""
    found: list[bytes] = []
    for name, value in lines:
        if name == b"surrogate-key":
            found += value.split()
        elif name == b"cache-tag":
            found += [part.strip(b" \t") for part in value.split(b",")]
    return tuple(dict.fromkeys(tag for tag in found if tag))


def stored(
    policy: Cache,
    status: int,
    reason: bytes,
    block: bytes,
    lines: Lines,
    request: Lines,
    *,
    guarded: bool,
    asked_at: float,
    now: float,
    wall: float,
) -> Stored | None:
    """What is kept of an answer to a GET (RFC 9111 §3), its body to come; None: nothing may be.

    `block` are the lines that are given out, `lines` and `request` all fields of answer and request. `guarded`: only
    callers whom the gateway knows get this far. `asked_at`: when the backend was asked.
    """
    if status < 200 or status in (206, 304):
        return None
    said = directives(combined(lines, b"cache-control"))
    if b"no-store" in said and not (b"must-understand" in said and status in _UNDERSTOOD):
        return None
    if b"must-understand" in said and status not in _UNDERSTOOD:
        return None
    names = {name for name, _ in lines}
    if b"private" in said or b"set-cookie" in names:
        return None
    kind = combined(lines, b"content-type") or b""
    if kind.startswith((b"text/event-stream", b"application/grpc")):
        return None
    by = varies(lines)
    if by is None:
        return None
    shared = b"public" in said or b"s-maxage" in said
    asks = {name for name, _ in request}
    if (guarded or b"authorization" in asks) and not (shared or b"must-revalidate" in said):
        return None
    explicit = shared or b"max-age" in said or b"expires" in names
    if not explicit and b"cookie" in asks:
        return None  # a page that was made for one, with a validator that does not say so
    if not explicit and b"no-cache" not in said and status not in _HEURISTIC:
        return None
    made = Stored(status, reason, block, b"")
    made.born = asked_at
    made.taken = now
    made.wall = wall
    date = _date(lines)
    made.made = date
    apparent = 0.0 if date is None else max(0.0, wall - date)
    made.initial_age = max(apparent, _age(lines) + now - asked_at)
    lifetime = _lifetime(policy, said, lines, wall if date is None else date, status)
    made.lifetime = lifetime if policy.maximum_seconds is None else min(lifetime, policy.maximum_seconds)
    made.no_cache = b"no-cache" in said or (
        b"cache-control" not in names and b"no-cache" in directives(combined(lines, b"pragma"))
    )
    made.strict = b"must-revalidate" in said or b"proxy-revalidate" in said
    _grace(policy, said, made)
    made.etag = combined(lines, b"etag")
    made.last_modified = combined(lines, b"last-modified")
    if made.lifetime <= made.initial_age and not made.validator and made.stale_while + made.stale_error <= 0.0:
        return None
    made.vary = tuple((name, fingerprint(request, name)) for name in by)
    made.tags = tags_of(lines)
    return made


def _grace(policy: Cache, said: dict[bytes, bytes | None], made: Stored) -> None:
    """How long it may be used stale. What s-maxage says of proxies (RFC 9111 §5.2.2.10) goes before what the policy
    grants, but not before what the same answer grants."""
    granted = b"s-maxage" not in said
    made.stale_while = policy.stale_while_seconds if granted else 0.0
    made.stale_error = policy.stale_error_seconds if granted else 0.0
    if b"stale-while-revalidate" in said:
        made.stale_while = float(delta_seconds(said[b"stale-while-revalidate"]))
    if b"stale-if-error" in said:
        made.stale_error = float(delta_seconds(said[b"stale-if-error"]))
    if made.strict or made.no_cache:
        made.stale_while = made.stale_error = 0.0
    made.strict = made.strict or not granted


def _lifetime(policy: Cache, said: dict[bytes, bytes | None], lines: Lines, date: float, status: int) -> float:
    """For how long an answer is fresh (RFC 9111 §4.2.1)."""
    for name in (b"s-maxage", b"max-age"):
        if name in said:
            return float(delta_seconds(said[name]))
    expires = [value for name, value in lines if name == b"expires"]
    if expires:
        until = http_date(expires[0]) if len(expires) == 1 else None
        return 0.0 if until is None else max(0.0, until - date)
    if status not in _HEURISTIC and b"public" not in said:
        return 0.0
    if policy.default_seconds > 0.0:
        return policy.default_seconds
    modified = combined(lines, b"last-modified")
    since = http_date(modified) if policy.heuristic and modified is not None else None
    return 0.0 if since is None else max(0.0, (date - since) / 10.0)


def _date(lines: Lines) -> float | None:
    for name, value in lines:
        if name == b"date":
            return http_date(value)
    return None


def _age(lines: Lines) -> float:
    """What Age says: of several the first; what is no number says nothing (RFC 9111 §5.1)."""
    for name, value in lines:
        if name == b"age":
            first = value.partition(b",")[0].strip(b" \t")
            return float(delta_seconds(first))
    return 0.0


def use(entry: Stored, said: Asked, now: float) -> Use:
    """What may be done with `entry` for a request that says this (RFC 9111 §4, §5.2.1)."""
    age = entry.age(now)
    if entry.no_cache or said.no_cache:
        return Use.VALIDATE_STRICTLY
    left = entry.lifetime - age
    if left > 0.0:
        unwanted = (0 <= said.max_age < age) or left < said.min_fresh
        return Use.VALIDATE if unwanted else Use.FRESH
    if 0 <= said.max_age < age or said.min_fresh >= 0:
        return Use.VALIDATE if -left < entry.stale_error else Use.VALIDATE_STRICTLY
    if not entry.strict and -left < said.max_stale:
        return Use.FRESH
    if -left < entry.stale_while:
        return Use.STALE
    return Use.VALIDATE if -left < entry.stale_error else Use.VALIDATE_STRICTLY


def fails(status: int) -> bool:
    """Whether a stale answer may stand in for one with this status."""
    return status in _ERRORS


def merged(block: bytes, fresh: bytes) -> bytes:
    """The lines of a stored answer after a 304 with the lines `fresh` (RFC 9111 §3.2, §4.3.4)."""
    new = [line for line in fresh.split(b"\r\n") if line and line.partition(b":")[0].lower() not in _NOT_UPDATED]
    names = {line.partition(b":")[0].lower() for line in new}
    old = [line for line in block.split(b"\r\n") if line and line.partition(b":")[0].lower() not in names]
    return b"\r\n".join([*old, *new, b""])


def not_modified(entry: Stored, none_match: str | None, modified_since: str | None) -> bool:
    """Whether a client that says this has what is stored (RFC 9110 §13.1.2, §13.1.3)."""
    if not 200 <= entry.status < 300:
        return False
    if none_match is not None:
        if none_match.strip() == "*":
            return True
        if entry.etag is None:
            return False
        own = _weak(entry.etag)
        return any(_weak(tag) == own for tag in _tags(none_match.encode("latin-1", "replace")))
    if modified_since is None:
        return False
    had = http_date(modified_since.encode("latin-1", "replace"))
    held = http_date(entry.last_modified) if entry.last_modified is not None else entry.made
    return held is not None and had is not None and held <= had


def in_304(block: bytes) -> bytes:
    """Of the lines of a stored answer those that a 304 has."""
    lines = [line for line in block.split(b"\r\n") if line.partition(b":")[0].lower() in _IN_304]
    return b"\r\n".join([*lines, b""])


def whole_lines(block: bytes) -> bytes:
    """Of the lines of a stored answer those that a part of it has as well."""
    lines = [line for line in block.split(b"\r\n") if line and line.partition(b":")[0].lower() not in _OF_THE_WHOLE]
    return b"\r\n".join([*lines, b""])


def _weak(tag: bytes) -> bytes:
    return tag[2:] if tag[:2] in (b"W/", b"w/") else tag


def _tags(value: bytes) -> Sequence[bytes]:
    """Entity tags: a comma may stand in one."""
    found: list[bytes] = []
    at = 0
    while at < len(value):
        start = value.find(b'"', at)
        end = value.find(b'"', start + 1)
        if start < 0 or end < 0:
            break
        found.append(value[start : end + 1])
        at = end + 1
    return found or [part.strip() for part in value.split(b",")]
