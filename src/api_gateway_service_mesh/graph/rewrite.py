"""Changing triples in the text they stand in: everything else, comments and layout too, stays as people wrote it.

A value that is replaced by another is replaced in place; what goes is cut out with its separator; what comes is put
behind what is said of its subject, or at the end of a file where nothing is. Blank nodes that come are written as
``[ … ]`` where one triple leads to them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple

from .document import Document
from .load import Parsed, parse_document
from .positions import Span, placements
from .terms import GENID, RDF_TYPE, XSD, Row, Term
from .tokens import tokens

__all__ = ["CannotRewrite", "Edits", "rewrites", "rewritten", "with_edits"]

_LOCAL = re.compile(r"[A-Za-z0-9_](?:[\w.-]*[\w-])?\Z", re.ASCII)
_PLAIN = {
    XSD + "integer": re.compile(r"[+-]?[0-9]+\Z"),
    XSD + "decimal": re.compile(r"[+-]?[0-9]*\.[0-9]+\Z"),
    XSD + "boolean": re.compile(r"(?:true|false)\Z"),
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_INDENT = "    "
_OPENING = {"[": "]", "(": ")", "{|": "|}", "<<": ">>", "<<(": ")>>"}


class CannotRewrite(Exception):
    """A change that cannot be made in the text; the message says why."""


@dataclass(slots=True)
class _Value:
    """One object: its triple, and where it stands."""

    row: Row
    start: int
    end: int
    gone: bool = False


@dataclass(slots=True)
class _Verb:
    """One predicate with its objects."""

    start: int
    values: list[_Value] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.values[-1].end

    @property
    def gone(self) -> bool:
        return all(value.gone for value in self.values)


@dataclass(slots=True)
class _Frame:
    """What is said of a subject in one place: a statement, or the inside of ``[ … ]``. ``end``: behind the dot or the
    bracket."""

    number: int
    subject: Term
    start: int
    end: int
    nested: bool
    verbs: list[_Verb] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        return all(verb.gone for verb in self.verbs)


Edit = tuple[int, int, str]


@dataclass(slots=True)
class Edits:
    """What is to be done to one text: what stands from one place to another goes, and something comes there instead;
    and ``blocks`` are statements to write at its end."""

    places: list[Edit] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.places or self.blocks)


def rewritten(documents: Sequence[Document], added: Iterable[Triple], removed: Iterable[Triple]) -> dict[int, str]:
    """The texts that change, by the number of their document.

    Raises:
        CannotRewrite: what goes does not stand in a Turtle text in a form that can be cut out.
    """
    found = rewrites(documents, [parse_document(document) for document in documents], added, removed)
    return {
        number: with_edits(documents[number].text, edits.places) + at_end(documents[number].text, edits.blocks)
        for number, edits in enumerate(found)
        if edits
    }


def rewrites(
    documents: Sequence[Document], parsed: Sequence[Parsed], added: Iterable[Triple], removed: Iterable[Triple]
) -> list[Edits]:
    """What is to be done to each text, where `parsed` is what was read from them.

    Raises:
        CannotRewrite: see `rewritten`.
    """
    come = list(dict.fromkeys(_row(triple) for triple in added))
    go = set(map(_row, removed))
    texts = _Texts(documents, parsed)
    texts.remove(go, texts.replace(come, go))
    texts.add(come)
    return texts.edits


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all edits made."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        if start > at:
            parts.append(text[at:start])
        parts.append(new)
        at = max(at, end)
    return "".join(parts) + text[at:]


def at_end(text: str, blocks: Sequence[str]) -> str:
    """What statements come to that are written behind `text`, a blank line before each."""
    return "" if not blocks else ("\n" if text.endswith("\n") else "\n\n") + "\n".join(blocks)


class _Texts:
    def __init__(self, documents: Sequence[Document], parsed: Sequence[Parsed]) -> None:
        self.documents = documents
        self.edits = [Edits() for _ in documents]
        self.prefixes = [dict(found.prefixes) for found in parsed]
        self.elsewhere: set[Row] = set()
        self.links: dict[Row, tuple[int, int]] = {}
        self.frames: dict[tuple[int, int], _Frame] = {}
        self.values: set[tuple[int, int]] = set()
        """Where values stand."""
        self.objects: set[Term] = set()
        outlines = [_Outline(d.text) if d.has_positions else None for d in documents]
        rows = [() if d.has_positions else found.rows for d, found in zip(documents, parsed, strict=True)]
        for number, row, *spans in placements(documents, rows):
            outline = outlines[number]
            if outline is None:
                self.elsewhere.add(row)
            else:
                self._place(number, outline, row, *spans)

    def _place(self, number: int, outline: _Outline, row: Row, subject: Span, predicate: Span, value: Span) -> None:
        if predicate == subject:  # a link of a list, a name for a triple: it stands nowhere by itself
            self.links[row] = (number, subject[0])
            return
        nested = subject[0] in outline.closes
        frame = self.frames.get((number, subject[0]))
        if frame is None:
            end = outline.closes[subject[0]] if nested else outline.dot_after(subject[0])
            frame = self.frames[number, subject[0]] = _Frame(number, row[0], subject[0], end, nested)
        if not frame.verbs or frame.verbs[-1].start != predicate[0]:
            frame.verbs.append(_Verb(predicate[0]))
        self.values.add((number, value[0]))
        self.objects.add(row[2])
        frame.verbs[-1].values.append(_Value(row, value[0], outline.closes.get(value[0], value[1])))

    # -- what goes

    def replace(self, come: list[Row], go: set[Row]) -> set[tuple[int, int]]:
        """One value for another in place, where that is all that changes of a property. The places; what was put there
        is taken from `come`."""
        places: set[tuple[int, int]] = set()
        fresh = Counter((row[0], row[1]) for row in come)
        stale = Counter((row[0], row[1]) for row in go)
        for frame in self.frames.values():
            for value in (value for verb in frame.verbs for value in verb.values):
                key = value.row[0], value.row[1]
                if value.row not in go or fresh[key] != 1 or stale[key] != 1:
                    continue
                other = next(row for row in come if (row[0], row[1]) == key)
                if _is_node(value.row[2]) or _is_node(other[2]):
                    continue
                self.edits[frame.number].places.append(
                    (value.start, value.end, _written(other[2], self.prefixes[frame.number]))
                )
                places.add((frame.number, value.start))
                come.remove(other)
                fresh[key] = 0
        return places

    def remove(self, go: set[Row], done: set[tuple[int, int]]) -> None:
        """Cut out the values of these triples."""
        if go & self.elsewhere:
            raise CannotRewrite("what is to go stands in a file that is not Turtle")
        for frame in self.frames.values():
            for verb in frame.verbs:
                for value in verb.values:
                    value.gone = value.row in go and (frame.number, value.start) not in done
        whole = [
            (frame.number, value.start, value.end)
            for frame in self.frames.values()
            for verb in frame.verbs
            for value in verb.values
            if value.gone and value.end - value.start > 1
        ]
        for row in go & self.links.keys():
            number, at = self.links[row]
            if not any(n == number and start <= at < end for n, start, end in whole):
                raise CannotRewrite("a part of a list is to go, and not the whole list")
        for frame in self.frames.values():
            inside = any(n == frame.number and start <= frame.start < end for n, start, end in whole)
            if not inside and any(value.gone for verb in frame.verbs for value in verb.values):
                self._cut(frame)

    def _cut(self, frame: _Frame) -> None:
        edits, text = self.edits[frame.number].places, self.documents[frame.number].text
        if frame.nested and not self._is_value(frame):
            raise CannotRewrite("a statement that begins with [ or ( is to change")
        if frame.gone and not frame.nested:
            end = frame.end
            rest = re.match(r"[ \t]*\n", text[end:])
            begins = text.rfind("\n", 0, frame.start) + 1
            if rest and not text[begins : frame.start].strip():
                edits.append((begins, end + rest.end(), ""))
            else:
                edits.append((frame.start, end, ""))
            return
        if frame.gone:
            edits.append((frame.verbs[0].start, frame.verbs[-1].end, ""))
            return
        _cut_out(edits, frame.verbs)
        for verb in frame.verbs:
            if not verb.gone:
                _cut_out(edits, verb.values)

    def _is_value(self, frame: _Frame) -> bool:
        return (frame.number, frame.start) in self.values

    # -- what comes

    def add(self, come: Sequence[Row]) -> None:
        """Write these triples: behind what is said of their subject, else at the end of a file."""
        by_subject: dict[Term, list[Row]] = {}
        for row in come:
            by_subject.setdefault(row[0], []).append(row)
        uses = Counter(row[2] for row in come if _is_node(row[2]))
        homes = {frame.subject for frame in self.frames.values()}
        standing = {frame.subject: frame for frame in reversed(self.frames.values()) if not frame.gone}
        inline = {s for s in by_subject if _is_node(s) and uses[s] == 1 and s not in homes and s not in self.objects}
        inline -= _cyclic(by_subject, inline)
        linked = {row[0] for row in self.links}
        for subject, rows in by_subject.items():
            if subject in linked:
                raise CannotRewrite("a list is to change inside")
            if subject in inline:
                continue
            frame = standing.get(subject)
            number = frame.number if frame is not None else self._main(subject, rows)
            said = _properties(rows, self.prefixes[number], by_subject, inline, 1)
            if frame is not None and (not frame.nested or self._is_value(frame)):
                at = max(value.end for verb in frame.verbs for value in verb.values if not value.gone)
                self.edits[number].places.append((at, at, f" ;\n{_INDENT}" + f" ;\n{_INDENT}".join(said)))
            else:
                name = _written(subject, self.prefixes[number])
                self.edits[number].blocks.append(f"{name} " + f" ;\n{_INDENT}".join(said) + " .\n")

    def _main(self, subject: Term, rows: Sequence[Row]) -> int:
        """The file for a subject that is new: the one that says most about what it points at, else the first."""
        turtle = [number for number, d in enumerate(self.documents) if d.format == RdfFormat.TURTLE]
        if not turtle:
            raise CannotRewrite("none of the files is Turtle")
        targets = {row[2] for row in rows if type(row[2]) is NamedNode}
        near = Counter(f.number for f in self.frames.values() if f.subject in targets and f.number in turtle)
        return max(turtle, key=lambda number: (near[number], -number))


class _Outline:
    """Where brackets end, and where statements do."""

    def __init__(self, text: str) -> None:
        self.closes: dict[int, int] = {}
        self._dots: list[int] = []
        opened: list[int] = []
        for kind, token, start, end in tokens(text):
            if kind == "mark" and token in _OPENING:
                opened.append(start)
            elif kind == "mark" and token not in (",", ";", "~") and opened:
                self.closes[opened.pop()] = end
            elif kind == "dot" and not opened:
                self._dots.append(end)

    def dot_after(self, offset: int) -> int:
        return self._dots[bisect_left(self._dots, offset + 1)]


class _Part(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def gone(self) -> bool: ...


def _cut_out(edits: list[Edit], parts: Sequence[_Part]) -> None:
    """Those of a list that are gone, each with one separator."""
    for index, part in enumerate(parts):
        if part.gone:
            if any(not later.gone for later in parts[index + 1 :]):
                edits.append((part.start, parts[index + 1].start, ""))
            else:
                edits.append((parts[index - 1].end, part.end, ""))


def _properties(
    rows: Sequence[Row],
    prefixes: Mapping[str, str],
    by_subject: Mapping[Term, Sequence[Row]],
    inline: set[Term],
    depth: int,
) -> list[str]:
    """``predicate object, object`` for each predicate, types first."""
    grouped: dict[NamedNode, list[str]] = {}
    for row in sorted(rows, key=lambda row: row[1] != RDF_TYPE):
        value = row[2]
        if value in inline:
            inner = _properties(by_subject[value], prefixes, by_subject, inline, depth + 1)
            text = f"[ {' ; '.join(inner)} ]"
        else:
            text = _written(value, prefixes)
        grouped.setdefault(row[1], []).append(text)
    return [f"{'a' if p == RDF_TYPE else _written(p, prefixes)} {', '.join(texts)}" for p, texts in grouped.items()]


def _cyclic(by_subject: Mapping[Term, Sequence[Row]], inline: set[Term]) -> set[Term]:
    """Nodes that lead back to themselves, which cannot be written inside each other."""
    roots = {row[2] for subject, rows in by_subject.items() if subject not in inline for row in rows}
    reached, todo = set[Term](), [node for node in roots if node in inline]
    while todo:
        node = todo.pop()
        if node not in reached:
            reached.add(node)
            todo += [row[2] for row in by_subject[node] if row[2] in inline]
    return inline - reached


def _written(term: Term, prefixes: Mapping[str, str]) -> str:
    """A term in Turtle with these prefixes and no others."""
    if type(term) is NamedNode:
        for prefix, namespace in sorted(prefixes.items(), key=lambda item: -len(item[1])):
            local = term.value[len(namespace) :]
            if term.value.startswith(namespace) and _LOCAL.match(local):
                return f"{prefix}:{local}"
        return str(term)
    if isinstance(term, Literal):
        if term.language:
            return f'"{term.value.translate(_ESCAPES)}"@{term.language}'
        plain = _PLAIN.get(term.datatype.value)
        if plain and plain.match(term.value):
            return term.value
        quoted = f'"{term.value.translate(_ESCAPES)}"'
        return quoted if term.datatype.value == XSD + "string" else f"{quoted}^^{_written(term.datatype, prefixes)}"
    raise CannotRewrite("a triple about a triple cannot be written back")


def _is_node(term: Term) -> bool:
    """Whether this was a blank node before it was named."""
    return type(term) is NamedNode and term.value.startswith(GENID)


def _row(triple: Triple) -> Row:
    return (triple.subject, triple.predicate, triple.object)  # type: ignore[return-value]
