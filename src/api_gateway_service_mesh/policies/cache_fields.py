"""What the fields that caches go by say: directives, dates, ages (RFC 9111 §4.2, §5; RFC 9110 §5.6.7).

What is not written as it should be makes an answer less reusable: a number that is none is 0, a date that is none has
passed.
"""

from __future__ import annotations

import re
from calendar import timegm
from hashlib import blake2b
from typing import Final

__all__ = [
    "LONGEST",
    "Lines",
    "combined",
    "cut",
    "delta_seconds",
    "directives",
    "field_lines",
    "fingerprint",
    "http_date",
    "list_members",
    "one_range",
]

LONGEST: Final = 2**31
"""No number of seconds is taken for more (RFC 9111 §1.2.2)."""

Lines = list[tuple[bytes, bytes]]
"""Fields: names in lower case, and values without white space around."""

_DIRECTIVE: Final = re.compile(rb'[\s,]*([^\s=,"]+)(?:=("(?:[^"\\]|\\.)*"|[^,]*))?')
_TAIL: Final = re.compile(rb"[^,]*")
_DIGITS: Final = re.compile(rb"[0-9]+")
_RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,15})-([0-9]{0,15})", re.IGNORECASE)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_FIXDATE: Final = re.compile(
    rb"(?:mon|tue|wed|thu|fri|sat|sun), ([0-9]{2}) ([a-z]{3}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) gmt",
    re.IGNORECASE,
)
_RFC850: Final = re.compile(
    rb"(?:mon|tues|wednes|thurs|fri|satur|sun)day, ([0-9]{2})-([a-z]{3})-([0-9]{2}) "
    rb"([0-9]{2}):([0-9]{2}):([0-9]{2}) gmt",
    re.IGNORECASE,
)
_ASCTIME: Final = re.compile(
    rb"(?:mon|tue|wed|thu|fri|sat|sun) ([a-z]{3}) ([ 0-9][0-9]) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([0-9]{4})",
    re.IGNORECASE,
)


def field_lines(block: bytes) -> Lines:
    """The fields of a block of header lines."""
    found: Lines = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.lower(), value.strip(b" \t")))
    return found


def combined(lines: Lines, name: bytes) -> bytes | None:
    """The value of a field that is a list, over all its lines."""
    values = [value for found, value in lines if found == name]
    return b", ".join(values) if values else None


def directives(value: bytes | None) -> dict[bytes, bytes | None]:
    """Cache directives by lower-case name. Of one that stands there twice, the smaller number, or what came first."""
    found: dict[bytes, bytes | None] = {}
    if value is None:
        return found
    at, end = 0, len(value)
    while at < end:
        match = _DIRECTIVE.match(value, at)
        if match is None:
            at += 1  # a stray quote
            continue
        at = match.end()
        name, said = match.group(1).lower(), match.group(2)
        rest = _TAIL.match(value, at)
        if rest is not None:
            at = rest.end()
        if said is not None:
            said = said.strip(b" \t")
            if said[:1] == b'"' and said[-1:] == b'"' and len(said) > 1:
                said = said[1:-1]
        before = found.get(name)
        if name in found and (before is None or said is None or delta_seconds(said) >= delta_seconds(before)):
            continue
        found[name] = said
    return found


def delta_seconds(value: bytes | None) -> int:
    """A number of seconds; 0 for what is none."""
    if value is None or _DIGITS.fullmatch(value) is None:
        return 0
    return min(LONGEST, int(value[:12])) if len(value) <= 12 else LONGEST


def http_date(value: bytes) -> float | None:
    """A date in one of the three forms, in seconds since 1970; None for what is none."""
    match = _FIXDATE.fullmatch(value)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        return _moment(int(year), month, int(day), int(hour), int(minute), int(second))
    match = _RFC850.fullmatch(value)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        short = int(year)
        return _moment(short + (2000 if short < 70 else 1900), month, int(day), int(hour), int(minute), int(second))
    match = _ASCTIME.fullmatch(value)
    if match is not None:
        month, day, hour, minute, second, year = match.groups()
        return _moment(int(year), month, int(day), int(hour), int(minute), int(second))
    return None


def _moment(year: int, month: bytes, day: int, hour: int, minute: int, second: int) -> float | None:
    number = _MONTHS.get(month.lower())
    if number is None or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    return float(timegm((year, number, day, hour, minute, second, 0, 0, 0)))


def one_range(value: str) -> tuple[int | None, int | None] | None:
    """The first and last byte that a request asks for (RFC 9110 §14.1.2): (None, 5) are the last five, (5, None) all
    from the sixth on. None for several ranges, other units, and what is none."""
    match = _RANGE.fullmatch(value.strip())
    if match is None or (not match[1] and not match[2]):
        return None
    first, last = int(match[1]) if match[1] else None, int(match[2]) if match[2] else None
    return None if first is not None and last is not None and last < first else (first, last)


def cut(bounds: tuple[int | None, int | None], size: int) -> tuple[int, int] | None:
    """Which bytes of `size` those are: from, and up to but without; None: none of them."""
    first, last = bounds
    start = max(0, size - (last or 0)) if first is None else first
    end = size if first is None or last is None else min(size, last + 1)
    return (start, end) if start < end else None


def list_members(value: bytes) -> list[bytes]:
    """The members of a list of names, in lower case."""
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def fingerprint(lines: Lines, name: bytes) -> bytes:
    """What stands for a request's value of a field that answers vary by: it may be a secret, so not the value itself.
    White space around commas makes no difference; that there is no such field does."""
    values = [part.strip(b" \t") for found, value in lines if found == name for part in value.split(b",")]
    if not values:
        return b"" if all(found != name for found, _ in lines) else b"-"
    return blake2b(b",".join(values), digest_size=16).digest()
