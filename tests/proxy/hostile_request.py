"""What a hostile request is made of, and what must come of it.

A case is the bytes and their judgement, answer by answer: `Seen` (200, and the backend got just this) or a set of statuses
(refused with one of them, then closed; 404: not refused, but no route takes it). `either`: the RFCs leave room; refused, or
passed on unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BAD",
    "CODING",
    "HOST",
    "LARGE",
    "LINE",
    "METHOD",
    "OK_BODY",
    "VERSION",
    "Refused",
    "RequestCase",
    "Seen",
    "chunked",
    "get",
    "post",
    "show",
]

HOST = b"Host: h.example\r\n"
OK_BODY = b"5\r\nhello\r\n0\r\n\r\n"

Refused = frozenset[int]

BAD: Refused = frozenset({400})
CODING: Refused = frozenset({400, 501})
VERSION: Refused = frozenset({400, 426, 505})
METHOD: Refused = frozenset({400, 405, 501})
LINE: Refused = frozenset({400, 414})
LARGE: Refused = frozenset({400, 431})


@dataclass(frozen=True)
class Seen:
    """What the backend must have got. `has` and `lacks` are field lines or names in lower case."""

    method: str = "GET"
    target: str = "/p"
    body: bytes = b""
    host: bytes = b"h.example"
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class RequestCase:
    """One case; `closes`: the connection ends after the last answer although nothing was wrong."""

    name: str
    wire: bytes
    answers: tuple[Seen | Refused, ...]
    closes: bool = False
    either: bool = False


def get(
    *lines: bytes, target: bytes = b"/p", method: bytes = b"GET", host: bytes = HOST, version: bytes = b"HTTP/1.1"
) -> bytes:
    return b"%b %b %b\r\n%b%b\r\n" % (method, target, version, host, b"".join(line + b"\r\n" for line in lines))


def post(*lines: bytes, body: bytes = b"", **options: bytes) -> bytes:
    return get(*lines, method=b"POST", **options) + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def show(text: bytes) -> str:
    shown = repr(text)[2:-1]
    return shown if len(shown) < 70 else f"{shown[:50]}…({len(text)})"
