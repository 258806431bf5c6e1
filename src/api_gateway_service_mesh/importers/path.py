"""Paths of others in agw's words; what agw cannot say is told, never bent."""

from __future__ import annotations

import re
from typing import Final

from api_gateway_service_mesh.model import PathKind, PathMatch
from api_gateway_service_mesh.routing.pattern import syntax_error

__all__ = ["UnsayableError", "exact", "expression", "literal", "prefix", "stated"]

_SENT: Final = re.compile(r"/(?:[!$&-;=@A-Z_a-z~{}]|%[0-9A-Fa-f]{2})*")
#: Braces and stars as shapes let them stand where the path is not RE2.
_STATABLE: Final = re.compile(r"(?:/(?:[^/{}*]*|\{[A-Za-z_][A-Za-z0-9_-]*\}))*(?:/\*)?")
_META: Final = frozenset("\\.+*?()|[]{}^$")
_SEGMENT: Final = "[^/]+"


class UnsayableError(ValueError):
    """Why agw takes no such path."""


def exact(text: str) -> PathMatch:
    """That very path.

    Raises:
        UnsayableError: no request that agw accepts has it.
    """
    _sendable(text)
    if _STATABLE.fullmatch(text):
        return PathMatch(PathKind.EXACT, text)
    return PathMatch(PathKind.REGULAR_EXPRESSION, literal(text))


def prefix(text: str) -> PathMatch:
    """A path and all below it, by whole segments.

    Raises:
        UnsayableError: as `exact`.
    """
    stem = text.rstrip("/") if text.strip("/") else ""
    if stem:
        _sendable(stem)
    elif not text.startswith("/"):
        raise UnsayableError(f"the prefix {text!r} does not begin with a slash")
    if "{" in stem or "}" in stem or "*" in stem:
        return PathMatch(PathKind.REGULAR_EXPRESSION, f"{literal(stem)}(/.*)?")
    return PathMatch(PathKind.PREFIX, stem)


def expression(text: str) -> PathMatch:
    """An expression for the whole path; one that only stands for single segments becomes the template that it is.

    Raises:
        UnsayableError: RE2 does not know it.
    """
    error = syntax_error(text)
    if error is not None:
        raise UnsayableError(f"{text!r} is no RE2 expression: {error}")
    return _template(text) or PathMatch(PathKind.REGULAR_EXPRESSION, text)


def stated(path: PathMatch) -> tuple[str, str | None]:
    """What stands at ``agw:routePath``, and at ``agw:pathMatchType`` where the path alone does not say it."""
    if path.kind is PathKind.PREFIX:
        return f"{path.text}/*", None
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return path.text, path.kind.value
    if path.kind is PathKind.EXACT and ("{" in path.text or path.text.endswith("/*")):
        return path.text, path.kind.value
    return path.text, None


def _sendable(text: str) -> None:
    if not text.startswith("/"):
        raise UnsayableError(f"the path {text!r} does not begin with a slash")
    if _SENT.fullmatch(text) is None:
        raise UnsayableError(f"the path {text!r} holds what no request line can hold; percent-encode it")
    if "//" in text or any(segment in (".", "..") for segment in text.split("/")):
        raise UnsayableError(f"agw refuses requests with the path {text!r}: empty or dot segments")


def literal(text: str) -> str:
    """An expression for that very text."""
    return "".join(f"\\{char}" if char in _META else char for char in text)


def _template(text: str) -> PathMatch | None:
    """``/users/[^/]+`` as ``/users/{p1}``; with ``(/.*)?`` behind it as ``/users/{p1}/*``."""
    body = text.removesuffix("(/.*)?")
    if _SEGMENT not in body or not body.startswith("/"):
        return None
    made: list[str] = []
    number = 0
    # No slash stands in "[^/]+" once it is a sign of its own.
    for segment in body.replace(_SEGMENT, "\0").split("/")[1:]:
        if segment == "\0":
            number += 1
            made.append(f"{{p{number}}}")
            continue
        plain = _literal(segment)
        if not plain or plain in (".", "..") or _SENT.fullmatch(f"/{plain}") is None or set(plain) & set("{}*"):
            return None
        made.append(plain)
    stem = "".join(f"/{segment}" for segment in made)
    return PathMatch(PathKind.TEMPLATE, stem + ("/*" if body != text else ""))


def _literal(segment: str) -> str | None:
    """The one text that `segment` matches, if it is so plain."""
    made: list[str] = []
    at = 0
    while at < len(segment):
        char = segment[at]
        if char == "\\" and at + 1 < len(segment) and not segment[at + 1].isalnum():
            at += 1
            char = segment[at]
        elif char in _META or char == "\0":
            return None
        made.append(char)
        at += 1
    return "".join(made)
