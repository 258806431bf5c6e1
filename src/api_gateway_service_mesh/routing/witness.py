"""Example requests: the shortest convincing request that holds for given predicates.

An example is never trusted on its own: whoever asks for one puts it to the table before showing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from api_gateway_service_mesh.model import PathKind, ValueKind

from .entry import RouteEntry
from .host import HostKey
from .path import ANY_SEGMENT, PathPattern
from .pattern import PatternSet

__all__ = ["Witness", "literal_start", "sample", "witnesses"]

_HOSTS = ("example.com", "any.example.net")
_LABELS = ("www", "any-host-below")
_SEGMENTS = ("1", "any", "any-segment")
_QUANTIFIERS = "*+?{"
_GROUP = re.compile(r"\?(?:P?<\w+>|[a-zA-Z-]*:|[a-zA-Z-]*(?=\)))")  # what may stand behind a "(": name, flags


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that shows what a table does."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        url = f"{self.method} http://{self.host}{self.path}{'?' + self.query if self.query else ''}"
        return url + "".join(f" with {name}: {value}" for name, value in self.headers)


def witnesses(entry: RouteEntry, host: HostKey, method: str) -> Iterator[Witness]:
    """Requests that `entry` holds for on `host` by `method`, plainest first; none when no example is found."""
    headers: list[tuple[str, str]] = []
    parameters: list[tuple[str, str]] = []
    if entry.conditions is not None:
        for tests, values in ((entry.conditions.headers, headers), (entry.conditions.query, parameters)):
            for test in tests:
                value = sample(test.match.value) if test.kind is ValueKind.REGULAR_EXPRESSION else test.match.value
                if value is None:
                    return
                values.append((test.name, value))
    query = urlencode(parameters)
    for name in _hosts(host):
        for path in _paths(entry.path):
            yield Witness(method or "GET", name, path, query, tuple(headers))


def _hosts(host: HostKey) -> tuple[str, ...]:
    kind, _, text = host
    if kind == 0:
        return (text,)
    return tuple(label + text for label in _LABELS) if kind == 1 else _HOSTS


def _paths(path: PathPattern) -> Iterator[str]:
    if path.kind is PathKind.EXACT:
        yield path.text
    elif path.kind is PathKind.REGULAR_EXPRESSION:
        text = sample(path.text)
        if text is not None:
            yield text
    else:
        for token in _SEGMENTS:
            stem = "".join("/" + (token if segment == ANY_SEGMENT else segment) for segment in path.segments)
            yield stem or "/"
            if path.open_ended:
                yield f"{stem}/{token}"


def literal_start(expression: str) -> tuple[str, bool]:
    """The plain text that every match of `expression` begins with, and whether that is the whole of it.

    Cautious: ("", False) where it cannot tell, as with alternatives or flags.
    """
    text = expression.removeprefix("^")
    if "|" in text:
        return "", False
    out: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text) and not text[position + 1].isalnum():
            char, position = text[position + 1], position + 1
        elif char == "$" and position == len(text) - 1:
            return "".join(out), True
        elif char in "\\.[]()^$" + _QUANTIFIERS:
            if char in _QUANTIFIERS and out:
                out.pop()
            return "".join(out), False
        out.append(char)
        position += 1
    return "".join(out), True


def sample(expression: str) -> str | None:
    """A short text that the whole of `expression` matches, or None when the simple reading here finds none."""
    text = _Sampler(expression).read()
    return text if text is not None and PatternSet((expression,)).matching(text) else None


class _Sampler:
    """Reads an expression from left to right, first alternative, fewest repetitions. Its answer is checked by RE2."""

    _CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}  # noqa: RUF012 - a constant

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0

    def read(self) -> str | None:
        out = self._alternative()
        return out if self._at == len(self._text) else None

    def _alternative(self) -> str:
        out = ""
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == ")":
                break
            if char == "|":
                self._skip_alternatives()
                break
            atom = self._atom()
            out += atom * self._repetitions()
        return out

    def _skip_alternatives(self) -> None:
        depth = 0
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "\\":
                self._at += 1
            elif char == "[":
                self._character_class()
                continue
            elif char == "(":
                depth += 1
            elif char == ")":
                if depth == 0:
                    return
                depth -= 1
            self._at += 1

    def _atom(self) -> str:
        char = self._text[self._at]
        if char == "[":
            return self._character_class()
        self._at += 1
        if char == "(":
            return self._group()
        if char == "\\" and self._at < len(self._text):
            escaped = self._text[self._at]
            self._at += 1
            return self._CLASSES.get(escaped, "" if escaped.isalnum() else escaped)
        if char in "^$":
            return ""
        return "a" if char == "." else char

    def _group(self) -> str:
        opening = _GROUP.match(self._text, self._at)
        if opening is not None:
            self._at = opening.end()
        inner = self._alternative()
        self._at += 1
        return inner

    def _character_class(self) -> str:
        end = self._at + 2 if self._text.startswith("^", self._at + 1) else self._at + 1
        start = end
        if self._text.startswith("]", end):
            end += 1
        while end < len(self._text) and self._text[end] != "]":
            end += 2 if self._text[end] == "\\" else 1
        written = self._text[self._at : end + 1]
        self._at = end + 1
        fitting = PatternSet((written,)) if not self._text[start:end].startswith("[:") else None
        candidates = (*self._text[start : start + 1], *"1aA-_/ ~")
        return next((c for c in candidates if fitting is not None and fitting.matching(c)), "a")

    def _repetitions(self) -> int:
        if self._at >= len(self._text) or self._text[self._at] not in _QUANTIFIERS:
            return 1
        char = self._text[self._at]
        self._at += 1
        count = 1
        if char in "*?":
            count = 0
        elif char == "{":
            end = self._text.find("}", self._at)
            least = self._text[self._at : end].split(",")[0] if end != -1 else ""
            self._at = end + 1 if end != -1 else len(self._text)
            count = min(int(least), 1000) if least.isdigit() else 1
        if self._text.startswith("?", self._at):  # lazy
            self._at += 1
        return count
