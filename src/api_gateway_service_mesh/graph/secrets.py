"""Keeping secrets out of everything printed.

A secret is stated by reference (``agw:secretRef "env:NAME"`` or ``"file:PATH"``). What stands there in any other form
may be the secret itself, written by mistake: it is loaded (so that a shape can refuse it) and never shown. So may a
header field that proves who is calling, wherever a text begins with one.
"""

from __future__ import annotations

import re

__all__ = ["MASK", "blot", "is_credential", "is_reference", "masked_source"]

MASK = "•••"
_REFERENCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+)\Z")
# What takes a secret, and what people write in its place: agw:clientSecret, agw:password, agw:apiKey, ….
_NAMED = re.compile(
    r"(?:(?<=:)|(?<=#)|(?<=/))(?!has[A-Z])(?:"
    r"\w*(?:[sS]ecret|[pP]assw(?:or)?d|[pP]assphrase|[cC]redential)\w*"
    r"|\w*[kK]ey(?:Ref|Hash)|(?:\w*(?:Session|Cookie|Mac)|private|api|session|mac|signing|encryption)Key|key"
    r"|\w*[tT]oken(?:Ref)?)>?(?=[\s\"'<(\[])"
)
_FIELD = r"\s*(?:(?:proxy-)?authorization|cookie|(?:x-)?[a-z-]*(?:api-?key|token|secret|password))\s*:\s*"
_CREDENTIAL = re.compile(_FIELD + r"\S", re.IGNORECASE)
_QUOTED_CREDENTIAL = re.compile(r"(?P<open>[\"']" + _FIELD + r")(?P<value>[^\s\"'](?:[^\"'\\\n]|\\.)*)", re.IGNORECASE)
_PIECE = re.compile(
    r"(?P<quoted>"
    r'"{3}(?:[^"\\]|\\.|"(?!""))*(?:"{3}|\Z)|\'{3}(?:[^\'\\]|\\.|\'(?!\'\'))*(?:\'{3}|\Z)'
    r'|"(?:[^"\\]|\\.)*(?:"|\Z)|\'(?:[^\'\\]|\\.)*(?:\'|\Z))'
    r"|(?P<end>[;\]}]|\.(?=\s|\Z))|\#[^\n]*|[^\s;\]}\"'\#.]+|\.|\s+",
    re.DOTALL,
)


def is_reference(value: str) -> bool:
    """True for ``env:NAME`` and ``file:PATH``, which say where a secret is without being one."""
    return _REFERENCE.match(value) is not None


def is_credential(value: str) -> bool:
    """True for a header field, as ``Name: value``, that proves who is calling."""
    return _CREDENTIAL.match(value) is not None


def blot(text: str) -> str:
    """Dots as long as the text, so that what stands behind it keeps its column; quotes stay."""
    return re.sub(r"[^\"'\s]", "•", text)


def masked_source(text: str) -> str:
    """Source text in which all is blotted out that may be a secret: what stands behind the name of a property for
    secrets, or behind one that sounds like it, and is no reference, up to the end of the values.

    Works on the text alone, for sources that no parser understood. It stays as long as it was.
    """
    parts, place = [], 0
    for found in _NAMED.finditer(text):
        if found.start() < place:
            continue
        parts.append(text[place : found.end()])
        place = found.end()
        while (piece := _PIECE.match(text, place)) is not None and piece["end"] is None:
            parts.append(_mask(piece.group(), quoted=piece["quoted"] is not None))
            place = piece.end()
    masked = "".join((*parts, text[place:]))
    return _QUOTED_CREDENTIAL.sub(lambda found: found["open"] + blot(found["value"]), masked)


def _mask(piece: str, *, quoted: bool) -> str:
    if piece in (",", "(", "[") or (quoted and is_reference(piece.strip("\"'"))):
        return piece
    return blot(piece)
