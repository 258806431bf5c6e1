"""Where each triple of a Turtle text stands.

No RDF library keeps positions, so this walks the tokens once more and writes down, for every triple, the spans of its
subject, predicate and object. The walk keeps its own stack, so nesting costs no native stack. Names are resolved as the
parser does (by asking the parser, where it is not plain concatenation), and blank nodes get their skolem IRIs by the
same rule as in `graph.skolem`; both sides therefore speak of the same triples.
"""

from __future__ import annotations

import re
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from api_gateway_service_mesh.errors import Location

from .document import Document
from .skolem import rename, skolem_names
from .terms import RDF, RDF_FIRST, RDF_NIL, RDF_REST, RDF_TYPE, XSD, Row, Term, lexical
from .tokens import NUMBER_TYPES, tokens
from .values import canonical, compare

__all__ = ["PositionIndex", "Span", "Spot", "placements", "walk"]

_REIFIES = NamedNode(RDF + "reifies")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\\]*\Z")

Span = tuple[int, int]
"""Start and end offset in characters."""

Placed = tuple[Row, Span, Span, Span]
"""A triple and the spans of its subject, predicate and object. The span of a ``[ … ]`` or ``( … )`` is its opening."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A span of a document: what a report puts its carets under. ``start`` is its offset."""

    document: Document = field(repr=False)
    location: Location
    start: int
    length: int


@dataclass(slots=True)
class _Frame:
    """One open bracket (or the text itself): whose predicates and objects are being read."""

    kind: str
    subject: Term | None = None
    subject_span: Span = (0, 0)
    predicate: NamedNode | None = None
    predicate_span: Span = (0, 0)
    expects: str = "subject"
    last: Triple | None = None
    reifier: Term | None = None
    opened: Span = (0, 0)


class _Names:
    """Resolves names and literals with the prefixes and base in force."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.prefixes: dict[str, str] = {}
        self._known: dict[str, Term] = {}

    def declare(self, prefix: str, iri: str) -> None:
        self.prefixes[prefix.rstrip(":")] = lexical(self.term("iri", iri))
        self._known.clear()

    def rebase(self, iri: str) -> None:
        self.base = lexical(self.term("iri", iri))
        self._known.clear()

    def term(self, kind: str, text: str) -> Term:
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._resolve(kind, text)
        return known

    def _resolve(self, kind: str, text: str) -> Term:
        if kind == "pname" and "\\" not in text:
            prefix, _, local = text.partition(":")
            return NamedNode(self.prefixes[prefix] + local)
        if kind == "iri" and _ABSOLUTE.match(text, 1) and "/." not in text:
            return NamedNode(text[1:-1])
        if kind == "number":
            datatype = next(name for marks, name in NUMBER_TYPES if not marks or any(mark in text for mark in marks))
            return Literal(text, datatype=NamedNode(XSD + datatype))
        if kind == "word":
            return Literal(text, datatype=NamedNode(XSD + "boolean"))
        if kind == "literal" and "\\" not in text and text[0] == text[-1] and text[:3] not in ('"""', "'''"):
            return Literal(text[1:-1])
        head = "".join(
            f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in self.prefixes.items() if f"{prefix}:" in text
        )
        quads = parse(f"{head}<urn:x> <urn:x> {text} .", format=RdfFormat.TURTLE, base_iri=self.base)
        term: Term = next(iter(quads)).object
        return term


def walk(document: Document) -> Iterator[Placed]:
    """Every triple of a well-formed Turtle text with its spans, blank nodes under labels of their own."""
    names = _Names(document.base)
    mint = _mint(uuid.uuid4().hex)
    stack = [_Frame("top")]
    stream = tokens(document.text)
    for kind, text, start, end in stream:
        frame = stack[-1]
        span = (start, end)
        if kind == "dot":
            frame.expects = "subject"
        elif kind == "mark":
            yield from _mark(stack, text, span, mint)
        elif (
            kind == "word" and frame.expects == "subject" and text.lstrip("@").lower() in ("prefix", "base", "version")
        ):
            _directive(text.lstrip("@").lower(), stream, names)
        elif kind == "word" and text == "a" and frame.expects == "predicate":
            yield from _value(stack, RDF_TYPE, span, mint)
        elif kind == "word" and text not in ("true", "false"):
            continue
        else:
            yield from _value(stack, BlankNode(text[2:]) if kind == "blank" else names.term(kind, text), span, mint)


def _mint(stem: str) -> Iterator[BlankNode]:
    count = 0
    while True:
        count += 1
        yield BlankNode(f"{stem}{count}")


def _directive(word: str, stream: Iterator[tuple[str, str, int, int]], names: _Names) -> None:
    first = next(stream)[1]
    if word == "prefix":
        names.declare(first, next(stream)[1])
    elif word == "base":
        names.rebase(first)


def _value(stack: list[_Frame], term: Term, span: Span, mint: Iterator[BlankNode]) -> Iterator[Placed]:
    """A term is complete: give it the part in the innermost frame that is waiting for one."""
    frame = stack[-1]
    if frame.expects == "item":
        node = next(mint)
        if frame.subject is not None:
            yield (frame.subject, RDF_REST, node), frame.subject_span, span, span  # type: ignore[misc]
        else:
            frame.reifier = node
        frame.subject, frame.subject_span = node, span
        yield (node, RDF_FIRST, term), span, span, span
    elif frame.expects == "reifier":
        yield from _reify(frame, term, span)
        frame.expects = "more"
    elif frame.expects == "subject":
        frame.subject, frame.subject_span, frame.expects = term, span, "predicate"
    elif frame.expects == "predicate":
        frame.predicate, frame.predicate_span, frame.expects = term, span, "object"  # type: ignore[assignment]
    elif frame.expects == "object":
        frame.expects = "more"
        frame.reifier = None
        frame.last = Triple(frame.subject, frame.predicate, term)  # type: ignore[arg-type]
        if frame.kind not in ("<<", "<<("):
            yield (frame.subject, frame.predicate, term), frame.subject_span, frame.predicate_span, span  # type: ignore[misc]


def _reify(frame: _Frame, reifier: Term, span: Span) -> Iterator[Placed]:
    frame.reifier = reifier
    if frame.kind != "<<":
        yield (reifier, _REIFIES, frame.last), span, span, span  # type: ignore[misc]


def _mark(stack: list[_Frame], mark: str, span: Span, mint: Iterator[BlankNode]) -> Iterator[Placed]:
    frame = stack[-1]
    if frame.expects == "reifier" and mark != "[":  # `~` without a name
        yield from _reify(frame, next(mint), span)
        frame.expects = "more"
    if mark == ";":
        frame.expects = "predicate"
    elif mark == ",":
        frame.expects = "object"
    elif mark == "[":
        stack.append(_Frame("[", next(mint), span, expects="predicate", opened=span))
    elif mark == "(":
        stack.append(_Frame("(", None, span, expects="item", opened=span))
    elif mark in ("<<", "<<("):
        stack.append(_Frame(mark, expects="subject", opened=span))
    elif mark == "~":
        frame.expects = "reifier"
    elif mark == "{|":
        if frame.reifier is None:
            yield from _reify(frame, next(mint), span)
        stack.append(_Frame("{|", frame.reifier, span, expects="predicate", opened=span))
        frame.reifier = None
    elif len(stack) > 1:
        yield from _close(stack, mint)


def _close(stack: list[_Frame], mint: Iterator[BlankNode]) -> Iterator[Placed]:
    """The innermost bracket ends: what it stands for is a term of the frame around it."""
    frame = stack.pop()
    if frame.kind == "[":
        yield from _value(stack, frame.subject, frame.opened, mint)  # type: ignore[arg-type]
    elif frame.kind == "(":
        if frame.subject is None:
            yield from _value(stack, RDF_NIL, frame.opened, mint)
        else:
            yield (frame.subject, RDF_REST, RDF_NIL), frame.subject_span, frame.subject_span, frame.subject_span  # type: ignore[misc]
            yield from _value(stack, frame.reifier, frame.opened, mint)  # type: ignore[arg-type]
    elif frame.kind == "<<(":
        yield from _value(stack, frame.last, frame.opened, mint)  # type: ignore[arg-type]
    elif frame.kind == "<<":
        reifier = frame.reifier if frame.reifier is not None else next(mint)
        yield (reifier, _REIFIES, frame.last), frame.opened, frame.opened, frame.opened  # type: ignore[misc]
        yield from _value(stack, reifier, frame.opened, mint)


def placements(documents: Sequence[Document], rows: Sequence[Sequence[Row]]) -> list[tuple[int, Row, Span, Span, Span]]:
    """Every triple of `documents` with the number of its document and its spans, skolem IRIs for blank nodes. `rows`
    are the parsed triples of each document whose format has no positions."""
    placed: list[tuple[int, Row, Span, Span, Span]] = []
    for number, (document, parsed) in enumerate(zip(documents, rows, strict=True)):
        if document.has_positions:
            scope = f"d{number}."
            placed += ((number, *_scoped(entry, scope)) for entry in walk(document))
        else:
            placed += ((number, row, (0, 0), (0, 0), (0, 0)) for row in parsed)
    names = skolem_names(row for _, row, *_ in placed)
    return [
        (number, (rename(row[0], names), row[1], rename(row[2], names)), *spans)  # type: ignore[misc]
        for number, row, *spans in placed
    ]


class PositionIndex:
    """Answers where a subject, a property of it, or one triple stands, over several documents.

    Building costs about as much as twenty parses, so `SourceGraph` does it only when a place is asked for.
    """

    def __init__(self, documents: Sequence[Document], rows: Sequence[Sequence[Row]]) -> None:
        """`rows` are the parsed triples of each document, for those whose format has no positions."""
        placed = placements(documents, rows)
        self._documents = documents
        self._lines = [[0, *(found.end() for found in re.finditer("\n", document.text))] for document in documents]
        self._subjects: dict[str, tuple[int, Span]] = {}
        self._properties: dict[str, dict[str, list[tuple[Term, int, Span, Span]]]] = {}
        for number, (subject, predicate, value), subject_span, predicate_span, object_span in placed:
            iri = lexical(subject)
            self._subjects.setdefault(iri, (number, subject_span))
            self._properties.setdefault(iri, {}).setdefault(predicate.value, []).append(
                (value, number, predicate_span, object_span)
            )

    def subject(self, iri: str) -> Spot | None:
        """Where `iri` first stands as a subject."""
        found = self._subjects.get(iri)
        return self._spot(*found) if found else None

    def predicate(self, iri: str, predicate: str, value: Term | str | None = None) -> Spot | None:
        """Where the subject first states `predicate` (with `value`, if given)."""
        entry = self._entry(iri, predicate, value)
        return self._spot(entry[1], entry[2]) if entry else None

    def object(self, iri: str, predicate: str, value: Term | str) -> Spot | None:
        """Where the value of one triple stands. A plain string means an IRI or a lexical form."""
        entry = self._entry(iri, predicate, value)
        return self._spot(entry[1], entry[3]) if entry else None

    def objects(self, predicates: frozenset[str]) -> Iterator[tuple[Term, Document, Span]]:
        """Every value that stands under one of these predicates."""
        for properties in self._properties.values():
            for predicate in predicates & properties.keys():
                for value, number, _, span in properties[predicate]:
                    yield value, self._documents[number], span

    def __contains__(self, row: Row) -> bool:
        """Whether this triple (skolem IRIs for blank nodes) has a position."""
        subject, predicate, value = row
        return any(entry[0] == value for entry in self._properties.get(lexical(subject), {}).get(predicate.value, ()))

    def _entry(self, iri: str, predicate: str, value: Term | str | None) -> tuple[Term, int, Span, Span] | None:
        entries = self._properties.get(iri, {}).get(predicate, [])
        if value is None:
            return entries[0] if entries else None
        return next((e for e in entries if e[0] == value), None) or next(
            (e for e in entries if _same(e[0], value)), None
        )

    def _spot(self, number: int, span: Span) -> Spot:
        document, lines = self._documents[number], self._lines[number]
        line = bisect_right(lines, span[0])
        location = Location(document.name, line, span[0] - lines[line - 1] + 1)
        first_line = document.text[span[0] : span[1]].partition("\n")[0]
        return Spot(document, location, span[0], max(1, len(first_line)))


def _same(stated: Term, wanted: Term | str) -> bool:
    """Whether a stated value is the wanted one though spelt otherwise: stores rewrite ``05`` to ``5``."""
    if isinstance(wanted, str):
        return lexical(stated) == wanted or (isinstance(stated, Literal) and canonical(stated) == wanted)
    return isinstance(wanted, Literal) and isinstance(stated, Literal) and compare(stated, wanted) == 0


def _scoped(entry: Placed, scope: str) -> Placed:
    (subject, predicate, value), *spans = entry
    row = (_scope(subject, scope), predicate, _scope(value, scope))
    return row, *spans  # type: ignore[return-value]


def _scope(term: Term, scope: str) -> Term:
    if type(term) is BlankNode:
        return BlankNode(scope + term.value)
    if type(term) is Triple:
        return Triple(_scope(term.subject, scope), term.predicate, _scope(term.object, scope))  # type: ignore[arg-type]
    return term
