"""How deeply a text nests, found before any parser sees it.

pyoxigraph recurses on the native stack (nested triple terms of 109 kB kill the process, with no exception), so what is
too deep is refused by a scan that uses no stack. The scan is on the safe side: text that is not well formed counts its
brackets as nesting.
"""

from __future__ import annotations

import re

__all__ = ["MAX_BYTES", "MAX_DEPTH", "TooDeep", "check_depth"]

MAX_DEPTH = 100
"""Brackets open at one time. Real configurations stay under 10."""

MAX_BYTES = 64 * 1024 * 1024
"""Largest file read: about 1.5 million triples."""

_TURTLE = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n\r]|\\.)*"'
    r"|'(?:[^'\\\n\r]|\\.)*'"
    r"|<[^\x00-\x20<>\"{}|^`]*>"
    r"|\#[^\n\r]*"
    r"|<<\(|<<|\{\||\[|\(|\{|\)>>|>>|\|\}|\]|\)|\}",
    re.DOTALL,
)
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|\[|\{|\]|\}', re.DOTALL)
# Every alternative begins with a plain character, so that `re` skips to those that can begin one: ten times as fast.

_OPENING = frozenset(("<<(", "<<", "{|", "[", "(", "{"))
_CLOSING = frozenset((")>>", ">>", "|}", "]", ")", "}"))


class TooDeep(Exception):
    """More than `MAX_DEPTH` brackets are open at `offset` (in characters)."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"more than {MAX_DEPTH} brackets open at offset {offset}")
        self.offset = offset


def check_depth(text: str, *, json: bool = False, limit: int = MAX_DEPTH) -> None:
    """Raise `TooDeep` when more than `limit` brackets are open at one place of a Turtle-like or JSON text."""
    if text.count("[") + text.count("(") + text.count("{") + text.count("<<") <= limit:
        return
    depth = 0
    for token in (_JSON if json else _TURTLE).finditer(text):
        mark = token.group()
        if mark in _OPENING:
            depth += 1
            if depth > limit:
                raise TooDeep(token.start())
        elif mark in _CLOSING and depth:
            depth -= 1
