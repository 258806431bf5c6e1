"""Stored answers as bytes, for a store that gateways share: what one writes another reads, or takes for nothing.

A value is a mark of the format, a digest of its key and of all that follows, what is known of the answer (JSON), its
header lines and its body. A value that another program wrote, another version of this format, or one that was cut or
altered is no answer; nor is one whose lines would not be lines (RFC 9112 §5) or say another length than the body has.
The digest finds accidents. Who may write to the store can give answers to clients in any case.

Times in a value are those of the store's own clock (`StoreClock`), so that the clocks of gateways do not matter.
"""

from __future__ import annotations

import json
import math
import re
from hashlib import blake2b
from typing import Any, Final

from .cache import Stored
from .cache_fields import Lines, field_lines, fingerprint

__all__ = [
    "OVERHEAD", "StoreClock", "Value", "decode", "encode", "encode_names", "seconds_of_use", "store_key", "variant_key",
]  # fmt: skip

_FORMAT: Final = b"agwc1\n"
_DIGEST: Final = 16
_HEAD: Final = len(_FORMAT) + _DIGEST + 4
OVERHEAD: Final = 128 * 1024
"""What a value may have beside its body: header lines, tags, a URL."""
_DRIFT_SECONDS: Final = 0.0005
_AHEAD_SECONDS: Final = 1.0
"""An answer from so far in the future is none: the store's clock was set."""
_LINES: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\x00]*\r\n)*")
_REASON: Final = re.compile(rb"[^\r\n\x00]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")


class StoreClock:
    """What the store's clock shows when the own one (monotonic) shows a time, between two bounds: how long it took to
    ask is how uncertain it is."""

    __slots__ = ("high", "low")

    def __init__(self, shown: float, before: float, after: float) -> None:
        self.low = shown - after
        self.high = shown - before

    def narrowed(self, other: StoreClock) -> StoreClock:
        """This, asked once more: where both agree; `other` alone where they do not, since a clock was set. That two
        clocks do not go alike is allowed for."""
        made = StoreClock(0.0, 0.0, 0.0)
        made.low, made.high = max(self.low - _DRIFT_SECONDS, other.low), min(self.high + _DRIFT_SECONDS, other.high)
        return made if made.low <= made.high else other

    def no_later(self, own: float) -> float:
        """A time of the own clock by the store's; not after what it was."""
        return own + self.low

    def own_no_later(self, shown: float) -> float:
        """A time of the store's clock by the own; not after what it was."""
        return shown - self.high

    def own_no_earlier(self, shown: float) -> float:
        """The same; not before what it was."""
        return shown - self.low


class Value:
    """What a store has: an answer, and how far the log of purges was read when it was asked for; or, without one, the
    request fields that the answer varies by, with what the request at hand says in them (``vary``)."""

    __slots__ = ("entry", "position", "vary")

    def __init__(self, entry: Stored | None, position: tuple[int, int], vary: tuple[tuple[bytes, bytes], ...]) -> None:
        self.entry = entry
        self.position = position
        self.vary = vary


def store_key(prefix: bytes, key: bytes) -> bytes:
    """Under which a store has what is kept under `key`: nothing of a URL can be read from it."""
    return b"agw:cache:%b" % blake2b(prefix + b"\n" + key, digest_size=20).hexdigest().encode("ascii")


def variant_key(prefix: bytes, key: bytes, vary: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The same for an answer that varies by these request fields, with what its request said."""
    marks = b"".join(b"\n%b %b" % (name, mark) for name, mark in vary)
    return store_key(prefix, key + marks)


def seconds_of_use(entry: Stored, now: float) -> float:
    """How long the store should keep it: fresh, and stale for as long as anybody may use it so."""
    return entry.lifetime + max(entry.stale_while, entry.stale_error) - max(0.0, entry.age(now))


def encode(key: bytes, entry: Stored, clock: StoreClock, position: tuple[int, int]) -> bytes:
    """`entry` as it is stored under `key` (one of `store_key` and `variant_key`); `position`: how far the log of purges
    was read when it was asked for."""
    told = {
        "status": entry.status,
        "reason": _text(entry.reason),
        "born": clock.no_later(entry.born),
        "taken": clock.no_later(entry.taken),
        "made": entry.made,
        "age": entry.initial_age,
        "lifetime": entry.lifetime,
        "no_cache": entry.no_cache,
        "strict": entry.strict,
        "while": entry.stale_while,
        "error": entry.stale_error,
        "etag": None if entry.etag is None else _text(entry.etag),
        "modified": None if entry.last_modified is None else _text(entry.last_modified),
        "vary": [[_text(name), _text(mark)] for name, mark in entry.vary],
        "tags": [_text(tag) for tag in entry.tags],
        "url": _text(entry.url),
        "log": list(position),
        "lines": len(entry.block),
    }
    return _sealed(key, json.dumps(told).encode("ascii"), entry.block + entry.payload)


def encode_names(key: bytes, entry: Stored) -> bytes:
    """What is stored under `key` in place of an answer that varies: by which request fields."""
    return _sealed(key, json.dumps({"by": [_text(name) for name, _ in entry.vary]}).encode("ascii"), b"")


def decode(key: bytes, value: bytes, request: Lines, clock: StoreClock, now: float, most: int) -> Value | None:
    """What `value` is; None when it is nothing of ours. `most`: the largest body."""
    if len(value) < _HEAD or not value.startswith(_FORMAT):
        return None
    digest, rest = value[len(_FORMAT) : len(_FORMAT) + _DIGEST], value[len(_FORMAT) + _DIGEST :]
    if digest != _digest(key, rest):
        return None
    size = int.from_bytes(rest[:4], "big")
    try:
        told = json.loads(rest[4 : 4 + size])
        if "by" in told:
            names = [_bytes(name) for name in told["by"]]
            return Value(None, (0, 0), tuple((name, fingerprint(request, name)) for name in names))
        entry = _entry(told, rest[4 + size :], clock, now, most)
        moment, number = told["log"]
        return None if entry is None else Value(entry, (int(moment), int(number)), entry.vary)
    except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError):
        return None


def _entry(told: Any, rest: bytes, clock: StoreClock, now: float, most: int) -> Stored | None:
    lines = told["lines"]
    if not isinstance(lines, int) or not 0 <= lines <= len(rest) or len(rest) - lines > most:
        return None
    status, block, payload, reason = told["status"], rest[:lines], rest[lines:], _bytes(told["reason"])
    if not isinstance(status, int) or not 200 <= status < 600 or status in (206, 304):
        return None
    if _LINES.fullmatch(block) is None or _REASON.fullmatch(reason) is None or not _framed(block, status, payload):
        return None
    entry = Stored(status, reason, block, payload)
    entry.born = clock.own_no_later(_number(told["born"]))
    entry.taken = clock.own_no_later(_number(told["taken"]))
    entry.made = None if told["made"] is None else _number(told["made"])
    entry.initial_age = _span(told["age"])
    entry.lifetime = _span(told["lifetime"])
    entry.no_cache = told["no_cache"] is not False
    entry.strict = told["strict"] is not False
    entry.stale_while = _span(told["while"])
    entry.stale_error = _span(told["error"])
    entry.etag = None if told["etag"] is None else _line(told["etag"])
    entry.last_modified = None if told["modified"] is None else _line(told["modified"])
    entry.vary = tuple((_bytes(name), _bytes(mark)) for name, mark in told["vary"])
    entry.tags = tuple(_bytes(tag) for tag in told["tags"])
    entry.url = _bytes(told["url"])
    return None if entry.taken > now + _AHEAD_SECONDS or entry.born > now + _AHEAD_SECONDS else entry


def _framed(block: bytes, status: int, payload: bytes) -> bool:
    """Whether the lines say what the body is: one length, and no other coding of it."""
    said = field_lines(block)
    if any(name == b"transfer-encoding" for name, _ in said):
        return False
    lengths = [value for name, value in said if name == b"content-length"]
    if status == 204:
        return not payload and all(value == b"0" for value in lengths)
    return len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) is not None and int(lengths[0]) == len(payload)


def _sealed(key: bytes, told: bytes, rest: bytes) -> bytes:
    sealed = len(told).to_bytes(4, "big") + told + rest
    return _FORMAT + _digest(key, sealed) + sealed


def _digest(key: bytes, sealed: bytes) -> bytes:
    found = blake2b(key, digest_size=_DIGEST)
    found.update(b"\n")
    found.update(sealed)
    return found.digest()


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(value)
    return value.encode("latin-1")


def _line(value: Any) -> bytes:
    found = _bytes(value)
    if _REASON.fullmatch(found) is None:
        raise ValueError(value)
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _span(value: Any) -> float:
    found = _number(value)
    if found < 0.0:
        raise ValueError(value)
    return found
