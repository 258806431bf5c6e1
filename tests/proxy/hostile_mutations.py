"""Seeded mutations of requests: flips, splices, moved and doubled lines, and the bytes that parsers disagree about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

__all__ = ["mutated"]

_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b",", b";", b"0", b"5", b"\r\n ", b"\r\n\r\n", b"chunked", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Host: evil\r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0", b"/..", b"%2e", b"%00",
    b"\\", b"\x0b", b"\x7f", b"\xff", b"http://evil/", b"_", b"#", b"?", b";x=y", b"\"",
)  # fmt: skip


def mutated(cases: Sequence[bytes], random: Random) -> bytes:
    """One of `cases`, changed in one to four places."""
    wire = random.choice(cases)
    for _ in range(random.randint(1, 4)):
        wire = random.choice(_MUTATIONS)(wire, cases, random)
    return wire[:8192]


def _flip(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    place = random.randrange(len(wire) or 1)
    return wire[:place] + bytes([random.randrange(256)]) + wire[place + 1 :]


def _insert(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    place = random.randint(0, len(wire))
    return wire[:place] + random.choice(_TOKENS) + wire[place:]


def _insert_at_a_line(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    lines = wire.split(b"\r\n")
    lines.insert(random.randint(0, len(lines)), random.choice(_TOKENS).removesuffix(b"\r\n"))
    return b"\r\n".join(lines)


def _cut(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    place = random.randint(0, len(wire))
    return wire[:place] + wire[place + random.randint(1, 8) :]


def _swap_lines(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    lines = wire.split(b"\r\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _double_line(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    lines = wire.split(b"\r\n")
    lines.insert(random.randint(0, len(lines)), random.choice(lines))
    return b"\r\n".join(lines)


def _splice(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(cases)
    return wire[: random.randint(0, len(wire))] + other[random.randint(0, len(other)) :]


def _append(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    return wire + random.choice(cases)


def _line_end(wire: bytes, cases: Sequence[bytes], random: Random) -> bytes:
    ends = [place for place in range(len(wire) - 1) if wire[place : place + 2] == b"\r\n"]
    if not ends:
        return wire
    place = random.choice(ends)
    return wire[:place] + random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"")) + wire[place + 2 :]


_MUTATIONS: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _flip, _insert, _insert_at_a_line, _cut, _swap_lines, _double_line, _splice, _append, _line_end,
)  # fmt: skip
