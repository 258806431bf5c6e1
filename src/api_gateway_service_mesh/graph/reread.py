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

from collections.abc import Sequence
from dataclasses import replace

from pyoxigraph import parse

from .document import Document
from .fragment import END, Uncertain, beginnings, directives, has_labels, is_plain, replaced, rows_of
from .nesting import TooDeep, check_depth
from .source import SourceGraph
from .terms import Row

__all__ = ["reread"]


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
    except (Uncertain, SyntaxError, MemoryError, TooDeep):
        return SourceGraph.of_documents(documents)


def _edited(documents: Sequence[Document], previous: SourceGraph) -> SourceGraph:
    before = previous.documents
    if not previous.stated_once or previous.findings or len(documents) != len(before):
        raise Uncertain
    gone: list[Row] = []
    come: list[Row] = []
    for old, new in zip(before, documents, strict=True):
        if old == new:
            continue
        if replace(old, text=new.text) != new or not new.has_positions:
            raise Uncertain
        try:
            rows = _around(old, new.text)
        except (Uncertain, SyntaxError):
            if len(documents) == 1:
                raise
            rows = _whole(old, new)
        gone += rows[0]
        come += rows[1]
    return replaced(previous, gone, come, documents)


def _around(document: Document, new: str) -> tuple[list[Row], list[Row]]:
    """The triples of the statements around the edit, as they were and as they are."""
    old = document.text
    start = _common(old, new)
    tail = _common_end(old, new, min(len(old), len(new)) - start)
    end = old.find(END, len(old) - tail)
    tail = len(old) - end - len(END) if end >= 0 else 0
    for at in beginnings(old, start):
        was, now = old[at : len(old) - tail], new[at : len(new) - tail]
        if not is_plain(old[: len(old) - tail], now) or has_labels(was, now):
            raise Uncertain
        head = b"".join(text for _, text in directives(old[:at]))
        try:
            rows = rows_of(document, head, was), rows_of(document, head, now)
        except SyntaxError:
            continue  # that was not the end of a statement, or what was written is wrong
        if rows[0] and rows[1]:
            return rows
    raise Uncertain


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
        raise Uncertain
    return found[0], found[1]


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
