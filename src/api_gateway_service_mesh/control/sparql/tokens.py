"""A tokeniser for SPARQL 1.1 texts, just deep enough to count what could hurt (`guard`).

It knows what can hide brackets and keywords: comments, IRIs, the four string forms, prefixed names with escapes
(SPARQL 1.1 §19.8, productions 139 to 173). It never fails: a character that starts no token is a token of its own, so
that a text the parser would refuse is still counted. Runs of name characters are cut at 200 where the expression would
otherwise look ahead again and again, and nothing after an unclosed quote is looked at (no parser gets past it): the
cost stays linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Token", "decode_escapes", "line_and_column", "tokens"]

_TOKEN = re.compile(
    r"""
    (?P<space>[\x20\t\r\n]+ | \#[^\n\r]*)
  | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
  | (?P<string>\"{3}[^"\\]*+(?:(?:\"{1,2}(?!\")|\\.)[^"\\]*+)*\"{3} | '{3}[^'\\]*+(?:(?:'{1,2}(?!')|\\.)[^'\\]*+)*'{3}
      | "[^"\\\n\r]*+(?:\\.[^"\\\n\r]*+)*" | '[^'\\\n\r]*+(?:\\.[^'\\\n\r]*+)*')
  | (?P<rest>["'].*)
  | (?P<variable>[?$]\w+)
  | (?P<blank>_:\w(?:[\w.\-·]{0,200}\w)?)
  | (?P<name>(?:[^\W\d_](?:[\w.\-·]{0,200}\w)?)?:
      (?:(?:[\w:]|%[0-9A-Fa-f]{2}|\\.)(?:(?:[\w:.\-·]|%[0-9A-Fa-f]{2}|\\.)*(?:[\w:\-·]|%[0-9A-Fa-f]{2}|\\.))?)?)
  | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
  | (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<mark>\^\^|\|\||&&|!=|<=|>=|<<|>>|\{\||\|\}|[^\x20\t\r\n])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


class Token(NamedTuple):
    """``kind`` is ``iri string rest variable blank name language number word mark``; ``start`` an offset in
    characters."""

    kind: str
    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """All tokens of `text` without white space and comments."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        if kind != "space":
            yield Token(kind, match.group(), match.start())


def decode_escapes(text: str) -> str:
    r"""`text` with ``\uXXXX`` and ``\UXXXXXXXX`` replaced, as SPARQL 1.1 §19.2 has it done before anything is
    parsed."""

    def character(match: re.Match[str]) -> str:
        code = int(match.group(1) or match.group(2), 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"

    return _ESCAPE.sub(character, text)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Where `offset` lies, both counted from 1, columns in characters."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
