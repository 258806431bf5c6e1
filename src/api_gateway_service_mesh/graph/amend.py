"""A change written into the texts of a configuration, at a cost that follows the change.

Only the statements that speak of what changes are looked for in the texts, taken out, rewritten (`graph.rewrite`) and
read again; the graph is the one before with their triples replaced. What comes of it is what rewriting and reading the
whole texts gives (`graph.fragment` says where that is certain), or `Uncertain` is raised and that has to be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pyoxigraph import NamedNode, Triple

from .document import Document
from .fragment import Uncertain, directives, has_labels, is_plain, named, replaced, rows_of
from .load import Parsed
from .nameless import without_names
from .nesting import TooDeep
from .rewrite import CannotRewrite, Edit, Edits, at_end, rewrites, with_edits
from .source import SourceGraph
from .terms import GENID, Resource, Row

__all__ = ["amended"]

_MOST = 200
"""Subjects; where more change, the whole is as good."""
_TRIES = 12
_END = re.compile(r"\.[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_PREFIX = re.compile(rb"@prefix (?P<name>[^:]*):\s*<(?P<iri>[^>]*)>")
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[\w.-]*[\w-])?\Z", re.ASCII)


@dataclass(slots=True)
class _Piece:
    """Statements of a document: where they stand in it, and where in the text made of its pieces."""

    start: int
    end: int
    at: int = 0


@dataclass(slots=True)
class _Cutting:
    """What was cut out of one document."""

    document: Document
    head: bytes
    pieces: list[_Piece]
    prefixes: dict[str, str]

    def text(self) -> str:
        """The directives and the pieces, one after the other."""
        parts = [self.head.decode()]
        for piece in self.pieces:
            piece.at = sum(map(len, parts))
            parts.append(self.document.text[piece.start : piece.end])
        return "".join(parts)

    def placed(self, edit: Edit) -> Edit:
        """An edit of `text()`, in the document."""
        start, end, new = edit
        for piece in self.pieces:
            if piece.at <= start and end <= piece.at + piece.end - piece.start:
                return start - piece.at + piece.start, end - piece.at + piece.start, new
        raise Uncertain

    def rows(self, edits: Sequence[Edit], blocks: Sequence[str]) -> tuple[list[Row], list[Row]]:
        """The triples of the pieces, as they were, and as they are with `edits`, and those of `blocks`."""
        was: list[Row] = []
        now: list[Row] = []
        text = self.document.text
        for piece in self.pieces:
            inside = [(a - piece.start, b - piece.start, new) for a, b, new in edits if piece.start <= a < piece.end]
            old = text[piece.start : piece.end]
            new = with_edits(old, inside)
            if not is_plain(text[: piece.end], new) or has_labels(old, new):
                raise Uncertain
            was += rows_of(self.document, self.head, old)
            now += rows_of(self.document, self.head, new)
        for block in blocks:
            if has_labels(block):
                raise Uncertain
            now += rows_of(self.document, self.head, block)
        return was, now


def amended(source: SourceGraph, added: Iterable[Triple], removed: Iterable[Triple]) -> SourceGraph:
    """`source` with a change, which its documents say as well.

    Raises:
        Uncertain: it has to be made in the whole texts, if it can be.
    """
    come = {row: None for row in map(_row, added) if not source.states(row)}
    go = {row for row in map(_row, removed) if source.states(row)} - come.keys()
    if not source.stated_once or source.findings or any(GENID in document.text for document in source.documents):
        raise Uncertain
    try:
        cuttings = _cut(source, _roots(source, come.keys() | go))
        documents = [replace(cutting.document, text=cutting.text()) for cutting in cuttings]
        parsed = [Parsed((), (), cutting.prefixes) for cutting in cuttings]
        edits = rewrites(documents, parsed, (Triple(*row) for row in come), (Triple(*row) for row in go))
        return _made(source, cuttings, edits, come, go)
    except (CannotRewrite, SyntaxError, MemoryError, TooDeep):
        raise Uncertain from None


def _made(
    source: SourceGraph, cuttings: Sequence[_Cutting], edits: Sequence[Edits], come: dict[Row, None], go: set[Row]
) -> SourceGraph:
    was: list[Row] = []
    now: list[Row] = []
    documents: list[Document] = []
    for cutting, found in zip(cuttings, edits, strict=True):
        places = [cutting.placed(edit) for edit in found.places]
        before, after = cutting.rows(places, found.blocks)
        was += before
        now += after
        text = cutting.document.text
        text = with_edits(text, places) + at_end(text, found.blocks)
        documents.append(replace(cutting.document, text=text) if found else cutting.document)
    gone, new = named(was), named(now)
    if not go.issubset(gone) or not _same([*(row for row in gone if row not in go), *come], new):
        raise Uncertain
    return replaced(source, gone, new, documents)


def _same(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    """Whether triples are the same but for the names of blank nodes."""
    plain = {row for row in rows if not _is_of_node(row)}
    if plain != {row for row in others if not _is_of_node(row)}:
        return False
    one, other = (without_names(Triple(*row) for row in found if _is_of_node(row)) for found in (rows, others))
    return one.digest == other.digest


def _is_of_node(row: Row) -> bool:
    return any(type(part) is Triple or (type(part) is NamedNode and part.value.startswith(GENID)) for part in row)


def _roots(source: SourceGraph, rows: Iterable[Row]) -> set[NamedNode]:
    """What the statements are about that speak of these triples; of what is new, those too that it points at, if the
    file for it is to be chosen."""
    found: set[NamedNode] = set()
    todo: list[Resource] = []
    for row in rows:
        todo.append(row[0])
        if len(source.documents) > 1 and type(row[2]) is NamedNode and not source.stated(row[0]):
            todo += [row[2]] if source.stated(row[2]) else []
    seen: set[Resource] = set()
    for node in todo:
        at: Resource | None = node
        while at is not None and at not in seen:
            seen.add(at)
            if type(at) is not NamedNode or not at.value.startswith(GENID):
                found.add(at)  # type: ignore[arg-type]
                break
            at = source.owners.get(at)
    if len(found) > _MOST:
        raise Uncertain
    return {node for node in found if source.stated(node)}


def _cut(source: SourceGraph, subjects: set[NamedNode]) -> list[_Cutting]:
    """The statements about `subjects` in each document."""
    found: list[_Cutting] = []
    for document in source.documents:
        if not document.has_positions:
            found.append(_Cutting(document, b"", [], {}))
            continue
        declared = directives(document.text)
        head = b"".join(text for _, text in declared)
        prefixes = {match["name"].decode(): match["iri"].decode() for match in _PREFIX.finditer(head)}
        last = len(document.text.encode()[: declared[-1][0]].decode()) if declared else -1
        spans = sorted(span for node in subjects for span in _statements(document, head, prefixes, node))
        pieces: list[_Piece] = []
        for start, end in spans:
            if start < last:
                raise Uncertain  # the prefixes in force there are not those of the end
            if pieces and start < pieces[-1].end:
                pieces[-1].end = max(pieces[-1].end, end)
            else:
                pieces.append(_Piece(start, end))
        found.append(_Cutting(document, head, pieces, prefixes))
    return found


def _statements(
    document: Document, head: bytes, prefixes: dict[str, str], node: NamedNode
) -> Iterator[tuple[int, int]]:
    """Where statements about `node` stand, from the beginning of a line to the end of one. Some may be overlooked."""
    text, iri = document.text, node.value
    written = [f"<{iri}>"]
    for prefix, namespace in prefixes.items():
        if iri.startswith(namespace) and _LOCAL.match(iri[len(namespace) :]):
            written.append(f"{prefix}:{iri[len(namespace) :]}")
    for name in written:
        at = text.find(name)
        while at >= 0:
            begins = text.rfind("\n", 0, at) + 1
            behind = text[at + len(name) : at + len(name) + 1]
            # At the beginning of a line, and outside of long strings, a name is the subject of what parses behind it:
            # as a predicate or an object it would be followed by what cannot follow a subject.
            if behind.isspace() and not text[begins:at].strip():
                yield begins, _end(document, head, begins, at)
            at = text.find(name, at + 1)


def _end(document: Document, head: bytes, begins: int, at: int) -> int:
    """Where what begins there ends as statements."""
    text = document.text
    for _, match in zip(range(_TRIES), _END.finditer(text, at), strict=False):
        try:
            if rows_of(document, head, text[begins : match.end()]):
                return match.end()
        except SyntaxError:
            continue
    raise Uncertain


def _row(triple: Triple) -> Row:
    return (triple.subject, triple.predicate, triple.object)  # type: ignore[return-value]
