"""Sealed cookies: what browsers keep for us, which nobody but us can read or make (AES-256-GCM).

Keys come from secrets by SHA-256; the first seals, all open, so that a key is replaced without a session lost. What a
cookie is for (its purpose) is sealed with it: none can be shown in another's place. A value too long for one cookie
goes in several; `MOST_COOKIES` are the bound.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .token import unbase64url

__all__ = ["MOST_COOKIES", "Sealer", "clearing_line", "cookie_lines", "joined_cookies"]

MOST_COOKIES = 5
COOKIE_BYTES = 3600
"""Of a value, in one cookie: browsers take 4096 bytes with name and attributes (RFC 6265 §6.1)."""
_NONCE = 12
_SEALED = re.compile(r"[A-Za-z0-9_-]{40,20000}\Z")


class Sealer:
    """Seals and opens with `secrets`, of which the first seals.

    Raises:
        ValueError: a secret is shorter than 32 bytes, or there is none.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets or any(len(secret) < 32 for secret in secrets):
            raise ValueError("a session key has fewer than 32 bytes")
        self._rings: dict[bytes, AESGCM] = {}
        for secret in secrets:
            key = sha256(b"agw session key\0" + secret).digest()
            self._rings[sha256(key).digest()[:4]] = AESGCM(key)
        self._first = next(iter(self._rings))

    def seal(self, purpose: str, data: bytes) -> str:
        """`data` as text that fits into a cookie."""
        nonce = os.urandom(_NONCE)
        head = self._first + nonce
        sealed = self._rings[self._first].encrypt(nonce, data, head + purpose.encode())
        return urlsafe_b64encode(head + sealed).rstrip(b"=").decode("ascii")

    def open(self, purpose: str, text: str) -> bytes | None:
        """What was sealed for `purpose`; None when that is not from here, not whole, or for something else."""
        if _SEALED.match(text) is None:
            return None
        try:
            raw = unbase64url(text.encode("ascii"))
        except ValueError:
            return None
        ring = self._rings.get(raw[:4])
        if ring is None:
            return None
        head = raw[: 4 + _NONCE]
        try:
            return ring.decrypt(raw[4 : 4 + _NONCE], raw[4 + _NONCE :], head + purpose.encode())
        except InvalidTag:
            return None


def cookie_lines(name: str, value: str, seconds: int, secure: bool, shown: Mapping[str, str]) -> bytes:
    """The ``Set-Cookie`` lines that have a browser keep `value`, and forget what more of it is `shown`.

    Raises:
        ValueError: it is too long.
    """
    pieces = [value[at : at + COOKIE_BYTES] for at in range(0, len(value), COOKIE_BYTES)]
    if len(pieces) > MOST_COOKIES:
        raise ValueError(f"what is to be kept is longer than {MOST_COOKIES} cookies")
    lines = [
        f"Set-Cookie: {_piece(name, number)}={piece}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{_flag(secure)}"
        "\r\n"
        for number, piece in enumerate(pieces)
    ]
    lines += [
        clearing_line(_piece(name, number), secure)
        for number in range(len(pieces), MOST_COOKIES)
        if _piece(name, number) in shown
    ]
    return "".join(lines).encode("ascii")


def clearing_line(name: str, secure: bool) -> str:
    """The line that has a browser forget a cookie."""
    return f"Set-Cookie: {name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{_flag(secure)}\r\n"


def joined_cookies(name: str, shown: Mapping[str, str]) -> str:
    """The value that `cookie_lines` cut up; empty when there is none."""
    found = shown.get(name, "")
    for number in range(1, MOST_COOKIES):
        piece = shown.get(_piece(name, number))
        if not found or piece is None:
            break
        found += piece
    return found


def _piece(name: str, number: int) -> str:
    return f"{name}-{number}" if number else name


def _flag(secure: bool) -> str:
    return "; Secure" if secure else ""
