"""Statements cut out of a text, so that a change costs what it is and not what the text is.

This is only done where it is certain to give what reading the whole text gives: the text before ends a line with a full
stop, and no literal of several lines stands in it, so that the next line begins outside of names and strings; what
stands from there parses as statements by itself (cut out of the middle of one, it would not), with the prefixes that
the text before declares; and no subject of these statements is stated anywhere else, so neither order nor the names of
blank nodes hang on more. `Uncertain` says that the whole has to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pyoxigraph import BlankNode, NamedNode, Triple, parse

from .document import Document
from .nesting import check_depth
from .skolem import rename, skolem_names
from .source import SourceGraph
from .terms import OWL, Resource, Row

__all__ = ["END", "Uncertain", "beginnings", "directives", "has_labels", "is_plain", "named", "replaced", "rows_of"]

END = ".\n"
_IMPORTS = NamedNode(OWL + "imports")
_TRIES = 6
_SPACE = rb"(?:\s|#[^\n]*\n)"
_DIRECTIVE = re.compile(
    rb"(?i:(?P<prefix>prefix)" + _SPACE + rb"+(?P<name>[^\s:<>\"'#]*):|base)" + _SPACE + rb"*(?P<iri><[^<>\"\s]*>)"
)
_NAME = re.compile(rb"[\w:\x80-\xff-]")


class Uncertain(Exception):
    """The whole has to be read."""


def beginnings(text: str, before: int) -> Iterator[int]:
    """Where lines begin, at or before this place, after lines that end with a full stop; the last one first."""
    at = before
    for _ in range(_TRIES):
        found = text.rfind(END, 0, at)
        if found < 0:
            break
        yield found + len(END)
        at = found + 1


def is_plain(*texts: str) -> bool:
    """Whether there is no literal of several lines."""
    return not any('"""' in text or "'''" in text for text in texts)


def has_labels(*texts: str) -> bool:
    """Whether there is something that concerns the text around: a blank node with a label, a prefix."""
    return any("_:" in text or bool(directives(text)) for text in texts)


def rows_of(document: Document, head: bytes, text: str) -> list[Row]:
    """The triples of a piece of a document, under the directives `head`.

    Raises:
        SyntaxError, TooDeep, MemoryError: it does not parse by itself.
    """
    check_depth(text)
    quads = parse(head + text.encode(), format=document.format, base_iri=document.base)
    return [(quad.subject, quad.predicate, quad.object) for quad in quads]


def directives(text: str) -> list[tuple[int, bytes]]:
    """The prefixes and bases that a text without literals of several lines declares: where (in bytes), and each as a
    directive on a line of its own.

    Raises:
        Uncertain: one may stand in a string or a comment.
    """
    data = text.encode()
    low = data.lower()
    found: list[tuple[int, bytes]] = []
    hits = sorted(at for word in (b"prefix", b"base") for at in _places(low, word))
    for at in hits:
        line = data[data.rfind(b"\n", 0, at) + 1 : at]
        match = _DIRECTIVE.match(data, at)
        if match is None or line.lstrip().startswith(b"#") or _NAME.match(line[-1:]):
            continue
        if any(mark in line for mark in (b"#", b'"', b"'")):
            raise Uncertain
        name = b"prefix " + match["name"] + b":" if match["prefix"] else b"base"
        found.append((at, b"@" + name + b" " + match["iri"] + b" .\n"))
    return found


def _places(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def named(rows: Sequence[Row]) -> Sequence[Row]:
    """`rows` with names for their blank nodes, each of which must be named after an IRI that leads to it.

    Raises:
        Uncertain: one is not.
    """
    names = skolem_names(rows)
    if not names:
        return rows
    owned = {row[2] for row in rows}
    if any(type(row[0]) is BlankNode and row[0] not in owned for row in rows):
        raise Uncertain
    return [(rename(row[0], names), row[1], rename(row[2], names)) for row in rows]  # type: ignore[misc]


def replaced(
    previous: SourceGraph, gone: Sequence[Row], come: Sequence[Row], documents: Sequence[Document]
) -> SourceGraph:
    """`previous` where statements with the triples `gone` are replaced by such with the triples `come`, and so stand in
    `documents`.

    Raises:
        Uncertain: something else speaks of their subjects, or one of them concerns the whole.
    """
    gone, come = named(gone), named(come)
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
        raise Uncertain
    if any(row[1] == _IMPORTS or type(row[2]) is Triple for rows in (gone, come) for row in rows):
        raise Uncertain
    stated = {row for subject in {row[0] for rows in (gone, come) for row in rows} for row in previous.stated(subject)}
    if went != stated:
        raise Uncertain


def _grouped(rows: Iterable[Row]) -> dict[Resource, list[Row]]:
    found: dict[Resource, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found
