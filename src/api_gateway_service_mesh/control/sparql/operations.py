"""An update text taken apart into its operations, by tokens alone: what is deleted, inserted, asked.

SPARQL 1.1 Update, section 3. Nothing is parsed or evaluated here: the pieces go to the child process, which first has
the real parser judge the whole text, and then runs each piece (`changes`). What a piece may touch is known from its
form: the graph a template or a graph operation names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .guard import GuardLimits, QueryRefused, check_query, check_text
from .tokens import Token, decode_escapes, line_and_column, tokens

__all__ = ["UPDATE_BYTES", "check_update", "operations"]

UPDATE_BYTES = 1024 * 1024
"""Longest update text. What is larger is a graph: it goes to the Graph Store Protocol."""

_MANY = 64
_GRAPH_OPERATIONS = {"CLEAR", "DROP", "CREATE", "ADD", "COPY", "MOVE", "LOAD"}
_WILD = {"RAND", "UUID", "STRUUID", "BNODE", "NOW"}


class _Odd(Exception):
    """The tokens follow no rule of the grammar that is known here."""


@dataclass(slots=True)
class _Reader:
    """A place in a list of tokens."""

    text: str
    found: Sequence[Token]
    at: int = 0

    @property
    def token(self) -> Token | None:
        return self.found[self.at] if self.at < len(self.found) else None

    @property
    def word(self) -> str:
        token = self.token
        return token.text.upper() if token is not None and token.kind == "word" else ""

    def take(self, *kinds: str) -> Token:
        token = self.token
        if token is None or token.kind not in kinds:
            raise _Odd
        self.at += 1
        return token

    def keyword(self, *words: str) -> bool:
        """Step over these words, if all of them are next."""
        here = self.at
        for word in words:
            if self.word != word:
                self.at = here
                return False
            self.at += 1
        return True

    def mark(self, text: str) -> bool:
        token = self.token
        if token is not None and token.kind == "mark" and token.text == text:
            self.at += 1
            return True
        return False

    def group(self) -> tuple[int, int]:
        """Step over ``{ … }``; the indexes of the tokens between the braces."""
        if not self.mark("{"):
            raise _Odd
        start, depth = self.at, 1
        while depth:
            token = self.take(*_ALL)
            if token.kind == "mark" and token.text in "{}":
                depth += 1 if token.text == "{" else -1
        return start, self.at - 1

    def between(self, start: int, end: int) -> str:
        """The text of the tokens `start` to `end`, with a line break (it may end in a comment)."""
        if start >= end:
            return ""
        last = self.found[end - 1]
        return self.text[self.found[start].start : last.start + len(last.text)] + "\n"


_ALL = ("iri", "string", "rest", "variable", "blank", "name", "language", "number", "word", "mark")


def operations(text: str) -> list[dict[str, Any]] | None:
    """The operations of `text`, in order, as the child takes them; None where they cannot be told apart (most likely it
    is no update at all, which the real parser then says better).

    Raises:
        QueryRefused: more than 64 operations, or one that cannot be had.
    """
    reader = _Reader(text, list(tokens(text)))
    prologue = ""
    made: list[dict[str, Any]] = []
    try:
        while True:
            start = reader.at
            while reader.word in ("PREFIX", "BASE", "VERSION"):
                if reader.take("word").text.upper() == "PREFIX":
                    reader.take("name")
                reader.take("iri", "string")
            prologue += reader.between(start, reader.at)
            if reader.token is None:
                return made
            begun = reader.at
            made.append(_operation(reader, prologue))
            made[-1]["text"] = reader.between(begun, reader.at)
            if len(made) > _MANY:
                raise QueryRefused(f"more than {_MANY} operations in one update", problem="query-too-complex")
            if reader.token is not None and not reader.mark(";"):
                return None
    except _Odd:
        return None


def _operation(reader: _Reader, prologue: str) -> dict[str, Any]:
    made: dict[str, Any] = {"prologue": prologue, "delete": [], "insert": [], "where": None, "with": None}
    made |= {"using": [], "using_named": []}
    if reader.word in _GRAPH_OPERATIONS:
        return made | _graph_operation(reader)
    if reader.keyword("INSERT", "DATA"):
        return made | {"kind": "insert", "insert": _template(reader)}
    if reader.keyword("DELETE", "DATA"):
        return made | {"kind": "delete", "delete": _template(reader)}
    if reader.keyword("DELETE", "WHERE"):
        here = reader.at
        deleted = _template(reader)
        return made | {"kind": "modify", "delete": deleted, "where": reader.between(here, reader.at)}
    if reader.keyword("WITH"):
        made["with"] = reader.take("iri", "name").text
    began = reader.at
    if reader.keyword("DELETE"):
        made["delete"] = _template(reader)
    if reader.keyword("INSERT"):
        made["insert"] = _template(reader)
    if reader.at == began:
        raise _Odd
    while reader.keyword("USING"):
        named = reader.keyword("NAMED")
        made["using_named" if named else "using"].append(reader.take("iri", "name").text)
    if not reader.keyword("WHERE"):
        raise _Odd
    here = reader.at
    reader.group()
    wild = next((t for t in reader.found[here : reader.at] if t.kind == "word" and t.text.upper() in _WILD), None)
    if wild is not None and made["delete"] and made["insert"]:
        raise QueryRefused(
            f"{wild.text.upper()} in an operation that both deletes and inserts: the two would see different values",
            problem="update-refused",
            place=line_and_column(reader.text, wild.start),
            remedy="delete in one operation and insert in the next",
        )
    return made | {"kind": "modify", "where": reader.between(here, reader.at)}


def _template(reader: _Reader) -> list[list[str | None]]:
    """The triples of a template by graph: pairs of a graph's name as written (None: the default graph) and text."""
    start, end = reader.group()
    inner = _Reader(reader.text, reader.found[:end], start)
    blocks: list[list[str | None]] = []
    begun = start
    while inner.token is not None:
        if inner.keyword("GRAPH"):
            _add(blocks, None, inner, begun, inner.at - 1)
            name = inner.take("iri", "name", "variable").text
            first, last = inner.group()
            _add(blocks, name, inner, first, last)
            inner.mark(".")
            begun = inner.at
        else:
            inner.at += 1
    _add(blocks, None, inner, begun, end)
    return blocks


def _add(blocks: list[list[str | None]], graph: str | None, reader: _Reader, start: int, end: int) -> None:
    if end > start and reader.found[end - 1].text == ".":
        end -= 1
    if end > start:
        blocks.append([graph, reader.between(start, end)])


def _graph_operation(reader: _Reader) -> dict[str, Any]:
    verb = reader.take("word").text.upper()
    made: dict[str, Any] = {"kind": verb.lower(), "silent": reader.keyword("SILENT")}
    if verb == "LOAD":
        raise QueryRefused("LOAD is off: a gateway fetches nothing", status=403, problem="fetch-refused")
    if verb in ("CLEAR", "DROP", "CREATE"):
        if verb != "CREATE" and reader.word in ("DEFAULT", "NAMED", "ALL"):
            return made | {"graph": reader.take("word").text.upper()}
        if not reader.keyword("GRAPH"):
            raise _Odd
        return made | {"graph": reader.take("iri", "name").text}
    source = _graph_or_default(reader)
    if not reader.keyword("TO"):
        raise _Odd
    return made | {"source": source, "graph": _graph_or_default(reader)}


def _graph_or_default(reader: _Reader) -> str:
    if reader.keyword("DEFAULT"):
        return "DEFAULT"
    reader.keyword("GRAPH")
    return reader.take("iri", "name").text


def check_update(text: str, parts: Sequence[dict[str, Any]] | None, limits: GuardLimits | None = None) -> None:
    """Return if `text` may be parsed: its length, its nesting, and what its WHERE groups ask for.

    Raises:
        QueryRefused: with a sentence.
    """
    limits = limits or GuardLimits()
    check_text(text, UPDATE_BYTES, limits)
    decoded = decode_escapes(text)
    for reading in {text, decoded}:
        for token in tokens(reading):
            word = token.text.upper() if token.kind == "word" else ""
            if word == "LOAD" and parts is None:
                raise QueryRefused("LOAD is off: a gateway fetches nothing", status=403, problem="fetch-refused")
    for part in parts or ():
        if part["where"] is not None:
            check_query(f"SELECT * WHERE {part['where']}", limits)
