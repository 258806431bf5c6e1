"""Signed tokens as strangers send them (RFC 7515 §7.1, RFC 7519): what can be told before any key is asked.

Rules of this module: nothing of a token stands in a message; what a token says about how it wants to be checked
(``jku``, ``jwk``, ``x5u``, ``x5c``, ``crit``, ``b64``, ``zip``) refuses it; the algorithm is a name to be compared with
the key's, never an instruction (RFC 8725 §3.1).
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from .json_text import read_object

__all__ = ["MAX_TOKEN_BYTES", "Token", "TokenError", "read_token", "unbase64url"]

MAX_TOKEN_BYTES = 8192
_MAX_KID = 256
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_FORBIDDEN = ("crit", "b64", "zip", "jku", "jwk", "x5u", "x5c", "enc")
# RFC 8725 §3.11: tokens made for something else (logout+jwt, dpop+jwt, secevent+jwt …) are no access tokens.
_TYPES = frozenset(("jwt", "at+jwt", "application/jwt", "application/at+jwt"))


class TokenError(Exception):
    """A token that is refused; the message is for the operator and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed token whose signature nobody has checked yet. ``signed`` is what the signature is over."""

    algorithm: str
    kid: str | None
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def read_token(raw: bytes) -> Token:
    """Take a compact serialization apart.

    Raises:
        TokenError: it is none, or asks for something that is never given.
    """
    if len(raw) > MAX_TOKEN_BYTES:
        raise TokenError(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    parts = _COMPACT.fullmatch(raw)
    if parts is None:
        raise TokenError("the token is not three parts in base64url")
    header = _object(parts[1], "header")
    for name in _FORBIDDEN:
        if name in header:
            raise TokenError(f"the token's header has {name}")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise TokenError("the token's alg is not a text")
    kid = header.get("kid")
    if "kid" in header and (not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID):
        raise TokenError(f"the token's kid is not a text of at most {_MAX_KID} characters")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenError("the token's typ is not that of an access token")
    signature = _decoded(parts[3], "signature")
    return Token(algorithm, kid, _object(parts[2], "payload"), raw[: parts.end(2)], signature)


def unbase64url(text: bytes) -> bytes:
    """The bytes behind unpadded base64url, which has exactly one form (RFC 7515 §2, RFC 4648 §3.5).

    Raises:
        ValueError: it is not base64url, is padded, or its last character carries bits that count for nothing.
    """
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("it is not base64url") from None
    if urlsafe_b64encode(data).rstrip(b"=") != text:
        raise ValueError("it is not base64url in its one form")
    return data


def _decoded(text: bytes, part: str) -> bytes:
    try:
        return unbase64url(text)
    except ValueError as error:
        raise TokenError(f"the token's {part}: {error}") from None


def _object(text: bytes, part: str) -> dict[str, Any]:
    try:
        return read_object(_decoded(text, part))
    except ValueError as error:
        raise TokenError(f"the token's {part}: {error}") from None
