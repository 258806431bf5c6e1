"""The agw ontology, read once per process: its triples, its closed axioms, and what it says of each term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from pyoxigraph import NamedNode, RdfFormat, Triple, parse, serialize

from api_gateway_service_mesh import resources

from .index import TripleIndex
from .skolem import rename, skolem_names
from .tbox import Tbox
from .terms import AGW, OWL, RDF, RDF_TYPE, RDFS, Row, lexical

__all__ = ["Ontology", "TermKind", "agw_ontology", "read_turtle"]


class TermKind(StrEnum):
    """What a term of the ontology is, for "did you mean" among terms of the right kind."""

    CLASS = "class"
    PROPERTY = "property"
    INDIVIDUAL = "individual"


_KINDS = {
    RDFS + "Class": TermKind.CLASS,
    OWL + "Class": TermKind.CLASS,
    RDF + "Property": TermKind.PROPERTY,
    OWL + "DatatypeProperty": TermKind.PROPERTY,
    OWL + "ObjectProperty": TermKind.PROPERTY,
    OWL + "AnnotationProperty": TermKind.PROPERTY,
}


@dataclass(frozen=True, eq=False)
class Ontology:
    """An ontology ready for use. ``terms`` are its own terms (in the agw namespace) and what each is."""

    index: TripleIndex = field(repr=False)
    tbox: Tbox = field(repr=False)
    terms: Mapping[str, TermKind]
    ntriples: bytes = field(repr=False)

    @classmethod
    def of(cls, rows: list[Row]) -> Ontology:
        """Close the axioms among `rows` and list the terms they define."""
        terms: dict[str, TermKind] = {}
        for subject, predicate, value in rows:
            if predicate == RDF_TYPE and type(subject) is NamedNode and subject.value.startswith(AGW):
                terms.setdefault(subject.value, _KINDS.get(lexical(value), TermKind.INDIVIDUAL))
        text = serialize((Triple(*row) for row in rows), format=RdfFormat.N_TRIPLES) or b""
        return cls(TripleIndex(rows), Tbox(rows), terms, text)

    def definition(self, term: str) -> str | None:
        """The ``rdfs:comment`` of a term, its white space folded."""
        comment = self.index.value(NamedNode(term), NamedNode(RDFS + "comment"))
        return " ".join(lexical(comment).split()) if comment else None

    def sub_properties(self, term: str) -> frozenset[str]:
        """A property and everything the ontology puts below it."""
        wanted = NamedNode(term)
        below = (name for name in self.terms if wanted in self.tbox.above(NamedNode(name)))
        return frozenset((term, *below))


def read_turtle(folder: Path) -> list[Row]:
    """The triples of every Turtle file of a folder of ours, in the order of their names, blank nodes skolemised."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.ttl")):
        quads = parse(path=path, format=RdfFormat.TURTLE, base_iri=path.as_uri(), rename_blank_nodes=True)
        rows += ((subject, predicate, value) for subject, predicate, value, _ in quads)
    names = skolem_names(rows)
    return [(rename(s, names), p, rename(o, names)) for s, p, o in rows]  # type: ignore[misc]


@cache
def agw_ontology() -> Ontology:
    """The ontology that agw ships with."""
    return Ontology.of(read_turtle(resources.ontology()))
