"""Reading texts again of which little changed: what `SourceGraph.of_documents` gives, from what it gave before.

Of a text only the statements around an edit are parsed, as they were and as they are; the triples of the former go,
those of the latter come. Of a file that was edited beyond that (its prefixes, labelled blank nodes) the whole file is,
and not the others. This is only done where it is certain to give the same graph:

- The text before the edit ends a line with a full stop, and no literal of several lines stands in it, so that the next
  line begins outside of names and strings. What stands from there to the end of the edit parses as statements: cut
  out of the middle of one, it would not.
- The prefixes in force are those that the text before declares; the edit declares none.
- No subject of these statements is stated anywhere else, so neither order nor the names of blank nodes hang on more.

Whatever is not certain is read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pyoxigraph import BlankNode, NamedNode, Triple, parse

from .document import Document
from .nesting import TooDeep, check_depth
from .skolem import rename, skolem_names
from .source import SourceGraph
from .terms import OWL, Resource, Row

__all__ = ["reread"]

_IMPORTS = NamedNode(OWL + "imports")
_END = ".\n"
_TRIES = 6
_SPACE = rb"(?:\s|#[^\n]*\n)"
_DIRECTIVE = re.compile(
    rb"(?i:(?P<prefix>prefix)" + _SPACE + rb"+(?P<name>[^\s:<>\"'#]*):|base)" + _SPACE + rb"*(?P<iri><[^<>\"\s]*>)"
)
_NAME = re.compile(rb"[\w:\x80-\xff-]")


class _Uncertain(Exception):
    """It has to be read whole."""


def reread(documents: Sequence[Document], previous: SourceGraph) -> SourceGraph:
    """What ``SourceGraph.of_documents(documents)`` gives, where `previous` is what it gave of earlier texts; `previous`
    itself where these are the same. The triples may stand in another order, but not those of one subject.

    Raises:
        ConfigError: one of them is not well formed.
    """
    if tuple(documents) == previous.documents:
        return previous
    try:
        return _edited(documents, previous)
    except (_Uncertain, SyntaxError, MemoryError, TooDeep):
        return SourceGraph.of_documents(documents)


def _edited(documents: Sequence[Document], previous: SourceGraph) -> SourceGraph:
    before = previous.documents
    if not previous.stated_once or previous.findings or len(documents) != len(before):
        raise _Uncertain
    gone: list[Row] = []
    come: list[Row] = []
    for old, new in zip(before, documents, strict=True):
        if old == new:
            continue
        if replace(old, text=new.text) != new or not new.has_positions:
            raise _Uncertain
        try:
            rows = _around(old, new.text)
        except (_Uncertain, SyntaxError):
            if len(documents) == 1:
                raise
            rows = _whole(old, new)
        gone += rows[0]
        come += rows[1]
    gone, come = list(_named(gone)), list(_named(come))
    _check(previous, gone, come)
    was, is_now = _grouped(gone), _grouped(come)
    same = {subject for subject, rows in was.items() if is_now.get(subject) == rows}
    if len(same) == len(was) == len(is_now):
        return previous.restated(documents=documents)
    made = previous.changed(
        (row for row in gone if row[0] not in same), (row for row in come if row[0] not in same)
    ).restated(documents=documents)
    made.stated_once = True
    return made


def _check(previous: SourceGraph, gone: Sequence[Row], come: Sequence[Row]) -> None:
    """Nothing but these statements speaks of their subjects, and none of them is one that concerns the whole."""
    went = set(gone)
    if len(went) != len(gone) or len(set(come)) != len(come):
        raise _Uncertain
    if any(row[1] == _IMPORTS or type(row[2]) is Triple for rows in (gone, come) for row in rows):
        raise _Uncertain
    if not all(previous.states(row) for row in gone):
        raise _Uncertain
    for subject in {row[0] for rows in (gone, come) for row in rows}:
        if not went.issuperset(previous.stated(subject)):
            raise _Uncertain


def _around(document: Document, new: str) -> tuple[list[Row], list[Row]]:
    """The triples of the statements around the edit, as they were and as they are."""
    old = document.text
    start = _common(old, new)
    tail = _common_end(old, new, min(len(old), len(new)) - start)
    end = old.find(_END, len(old) - tail)
    tail = len(old) - end - len(_END) if end >= 0 else 0
    for at in _beginnings(old, start):
        was, now = old[at : len(old) - tail], new[at : len(new) - tail]
        if any('"""' in text or "'''" in text for text in (old[: len(old) - tail], now)):
            raise _Uncertain
        if "_:" in was or "_:" in now or any(_directives(text.encode()) for text in (was, now)):
            raise _Uncertain
        head = b"".join(_directives(old[:at].encode()))
        try:
            rows = _rows(document, head, was), _rows(document, head, now)
        except SyntaxError:
            continue  # that was not the end of a statement, or what was written is wrong
        if rows[0] and rows[1]:
            return rows
    raise _Uncertain


def _beginnings(text: str, before: int) -> Iterator[int]:
    """Where lines begin, at or before this place, after lines that end with a full stop; the last one first."""
    at = before
    for _ in range(_TRIES):
        found = text.rfind(_END, 0, at)
        if found < 0:
            break
        yield found + len(_END)
        at = found + 1


def _rows(document: Document, head: bytes, text: str) -> list[Row]:
    check_depth(text)
    quads = parse(head + text.encode(), format=document.format, base_iri=document.base)
    return [(quad.subject, quad.predicate, quad.object) for quad in quads]


def _whole(old: Document, new: Document) -> tuple[list[Row], list[Row]]:
    """All triples of a text, as it was and as it is."""
    found: list[list[Row]] = []
    declared = []
    for document in (old, new):
        check_depth(document.text)
        reader = parse(document.text.encode(), format=document.format, base_iri=document.base)
        found.append([(quad.subject, quad.predicate, quad.object) for quad in reader])
        declared.append(reader.prefixes)
    if declared[0] != declared[1] or not found[1]:
        raise _Uncertain
    return found[0], found[1]


def _directives(text: bytes) -> list[bytes]:
    """The prefixes and bases that a text without literals of several lines declares, each as a directive."""
    low, found = text.lower(), []
    hits = sorted(at for word in (b"prefix", b"base") for at in _places(low, word))
    for at in hits:
        line = text[text.rfind(b"\n", 0, at) + 1 : at]
        match = _DIRECTIVE.match(text, at)
        if match is None or line.lstrip().startswith(b"#") or _NAME.match(line[-1:]):
            continue
        if any(mark in line for mark in (b"#", b'"', b"'")):
            raise _Uncertain
        name = b"prefix " + match["name"] + b":" if match["prefix"] else b"base"
        found.append(b"@" + name + b" " + match["iri"] + b" .\n")
    return found


def _places(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _named(rows: Sequence[Row]) -> Iterable[Row]:
    """`rows` with names for their blank nodes, each of which must be named after an IRI that leads to it."""
    names = skolem_names(rows)
    if not names:
        return rows
    owned = {row[2] for row in rows}
    if any(type(row[0]) is BlankNode and row[0] not in owned for row in rows):
        raise _Uncertain
    return [(rename(row[0], names), row[1], rename(row[2], names)) for row in rows]  # type: ignore[misc]


def _grouped(rows: Iterable[Row]) -> dict[Resource, list[Row]]:
    found: dict[Resource, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, most: int) -> int:
    """How many characters both end with, `most` at most."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low
