"""The tokens of Turtle 1.1 (and the marks that RDF 1.2 adds), as one regular expression.

White space and comments are skipped; a literal is one token with its language tag or datatype. The text has been
accepted by a real parser before, so what fits no token is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

__all__ = ["NUMBER_TYPES", "tokens"]

_BASE_CHARS = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_CHARS = _BASE_CHARS + "_0-9\u00b7\u0300-\u036f\u203f-\u2040-"
_PLX = r"%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?#@%]"
_IRI = r"<[^\x00-\x20<>\"{}|^`]*>"
_PREFIX = f"(?:[{_BASE_CHARS}](?:[{_CHARS}.]*[{_CHARS}])?)?:"
_PNAME = f"{_PREFIX}(?:(?:[{_BASE_CHARS}_0-9:]|{_PLX})(?:(?:[{_CHARS}.:]|{_PLX})*(?:[{_CHARS}:]|{_PLX}))?)?"
_SPACE = r"(?:[ \t\r\n]|\#[^\r\n]*)*"
_STRING = (
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n\r]|\\.)*"'
    r"|'(?:[^'\\\n\r]|\\.)*'"
)
_LANGUAGE = r"@(?!prefix\b|base\b|version\b)[A-Za-z]+(?:-[A-Za-z0-9]+)*(?:--[A-Za-z]+)?"

_TOKEN = (
    rf"(?P<literal>(?:{_STRING})(?:{_SPACE}(?:{_LANGUAGE}|\^\^{_SPACE}(?:{_IRI}|{_PNAME})))?)"
    rf"|(?P<iri>{_IRI})"
    r"|(?P<mark><<\(|<<|\)>>|>>|\{\||\|\}|[\[\](),;~])"
    r"|(?P<number>[+-]?(?:[0-9]+\.[0-9]*[eE][+-]?[0-9]+|\.?[0-9]+[eE][+-]?[0-9]+|[0-9]*\.[0-9]+|[0-9]+))"
    rf"|(?P<blank>_:[{_BASE_CHARS}_0-9](?:[{_CHARS}.]*[{_CHARS}])?)"
    rf"|(?P<pname>{_PNAME})"
    r"|(?P<word>@?[A-Za-z]+)"
    r"|(?P<dot>\.)"
    r"|\#[^\r\n]*"
)

NUMBER_TYPES = (("eE", "double"), (".", "decimal"), ("", "integer"))
"""A number's datatype by the first of these characters it contains (Turtle 1.1 section 2.5.2)."""


@cache
def _compiled() -> re.Pattern[str]:
    # Takes 50 ms, and only reports about a configuration need it.
    return re.compile(_TOKEN, re.DOTALL)


def tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, text, start and end offset of each token. Kinds: literal iri mark number blank pname word dot."""
    for found in _compiled().finditer(text):
        kind = found.lastgroup
        if kind:
            yield kind, found.group(), found.start(), found.end()
