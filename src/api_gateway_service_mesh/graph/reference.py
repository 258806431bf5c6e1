"""What the ontology and the shapes say of each term, put together for people: one `Entry` a term, by subject.

Reference pages (served by the admin port, and built for the documentation) are written from this and from nothing
else, so that a term added to the ontology is documented by that alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh import resources

from .index import TripleIndex
from .ontology import TermKind, agw_ontology, read_turtle
from .terms import AGW, RDF_FIRST, RDF_NIL, RDF_REST, RDF_TYPE, RDFS, SH, XSD, Term, lexical, local_name

__all__ = ["Entry", "Subject", "agw_reference"]

_SKOS = "http://www.w3.org/2004/02/skos/core#"
_RANGE_INCLUDES = NamedNode("https://schema.org/rangeIncludes")


@dataclass(frozen=True, slots=True)
class Entry:
    """A term: what it is, what it means, how it is written, what is refused.

    ``role`` is the ontology's ``agw:termRole``: ``configuration`` (people write it), ``runtime`` (the gateway writes
    it) or ``documentation``. ``values`` are those that are allowed where they can be listed; ``rules`` are the
    messages of the shapes, each saying what is demanded and what to write.
    """

    iri: str
    kind: TermKind
    label: str
    comment: str
    role: str
    example: str | None = None
    domains: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    inherited_by: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The local name, which is also its anchor on a page."""
        return local_name(self.iri)


@dataclass(frozen=True, slots=True)
class Subject:
    """What one file of the ontology is about, and its terms: classes first, then properties, then individuals."""

    stem: str
    label: str
    comment: str
    entries: tuple[Entry, ...] = field(repr=False)


def _named(texts: Iterable[Term]) -> tuple[str, ...]:
    return tuple(sorted({item.value for item in texts if type(item) is NamedNode}))


class _Reader:
    def __init__(self) -> None:
        self.ontology = agw_ontology()
        self.index = self.ontology.index
        self.shapes = TripleIndex(read_turtle(resources.shapes()))
        self.rules: dict[str, dict[str, None]] = {}
        self.allowed: dict[str, tuple[str, ...]] = {}
        self._read_shapes()

    def _read_shapes(self) -> None:
        path, message = NamedNode(SH + "path"), NamedNode(SH + "message")
        for shape in self.shapes.users(path):
            about = self.shapes.value(shape, path)
            if type(about) is not NamedNode or not about.value.startswith(AGW):
                continue
            told = self.shapes.value(shape, message)
            if told is not None:
                self.rules.setdefault(about.value, {})[" ".join(lexical(told).split())] = None
            listed = self.shapes.value(shape, NamedNode(SH + "in"))
            if listed is not None and about.value not in self.allowed:
                self.allowed[about.value] = tuple(_printed(item) for item in self._items(listed))

    def _items(self, head: Term) -> Iterable[Term]:
        while head != RDF_NIL:
            first, rest = self.shapes.value(head, RDF_FIRST), self.shapes.value(head, RDF_REST)
            if first is None or rest is None:
                return
            yield first
            head = rest

    def entry(self, iri: str, kind: TermKind) -> Entry:
        node = NamedNode(iri)

        def text(predicate: str) -> str:
            found = self.index.value(node, NamedNode(predicate))
            return " ".join(lexical(found).split()) if found is not None else ""

        def named(predicate: str) -> tuple[str, ...]:
            return _named(self.index.values(node, NamedNode(predicate)))

        def users(predicate: str) -> tuple[str, ...]:
            return _named(self.index.holders(NamedNode(predicate), node))

        above = named(RDFS + ("subClassOf" if kind is TermKind.CLASS else "subPropertyOf"))
        below = users(RDFS + ("subClassOf" if kind is TermKind.CLASS else "subPropertyOf"))
        types = tuple(item for item in named(RDF_TYPE.value) if item.startswith(AGW))
        example = self.index.value(node, NamedNode(_SKOS + "example"))
        ranges = (*named(RDFS + "range"), *_named(self.index.values(node, _RANGE_INCLUDES)))
        return Entry(
            iri,
            kind,
            text(RDFS + "label"),
            text(RDFS + "comment"),
            text(AGW + "termRole"),
            lexical(example) if example is not None else None,
            domains=named(RDFS + "domain"),
            ranges=tuple(dict.fromkeys(ranges)),
            above=tuple(item for item in above if item.startswith(AGW)) or types,
            below=below if kind is not TermKind.INDIVIDUAL else (),
            properties=users(RDFS + "domain") if kind is TermKind.CLASS else (),
            inherited_by=named(AGW + "inheritedBy"),
            values=self.allowed.get(iri, ()),
            rules=tuple(self.rules.get(iri, ())),
        )

    def subjects(self) -> Iterable[Subject]:
        defined = NamedNode(RDFS + "isDefinedBy")
        files: dict[str, list[Entry]] = {}
        for iri, kind in self.ontology.terms.items():
            home = self.index.value(NamedNode(iri), defined)
            if home is not None:
                files.setdefault(lexical(home), []).append(self.entry(iri, kind))
        order = list(TermKind)
        for file, entries in sorted(files.items()):
            about = NamedNode(file)
            label = self.index.value(about, NamedNode(RDFS + "label"))
            comment = self.index.value(about, NamedNode(RDFS + "comment"))
            entries.sort(key=lambda entry: (order.index(entry.kind), entry.name))
            yield Subject(
                file.rstrip("/").rpartition("/")[2],
                lexical(label).removeprefix("agw: ") if label is not None else "",
                " ".join(lexical(comment).split()) if comment is not None else "",
                tuple(entries),
            )


def _printed(term: Term) -> str:
    if type(term) is NamedNode:
        return "agw:" + local_name(term.value) if term.value.startswith(AGW) else term.value
    quoted = isinstance(term, Literal) and term.datatype.value == XSD + "string"
    return f'"{lexical(term)}"' if quoted else lexical(term)


@cache
def agw_reference() -> tuple[Subject, ...]:
    """Every term of the ontology, by the file that defines it."""
    return tuple(_Reader().subjects())
