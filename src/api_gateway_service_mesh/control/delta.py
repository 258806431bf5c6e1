"""The difference between two configurations as triples that come and triples that go, and how it is applied.

Blank nodes that an update brings get names by the rule of `graph.skolem`, and never the name of a node that is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyoxigraph as ox

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.skolem import rename, skolem_names
from api_gateway_service_mesh.graph.terms import GENID, Row

__all__ = ["Delta", "applied", "between", "fresh", "ntriples", "parse_ntriples", "without_names"]


@dataclass(frozen=True, slots=True)
class Delta:
    """Triples that come and triples that go. All nodes have IRIs."""

    added: tuple[ox.Triple, ...] = ()
    removed: tuple[ox.Triple, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    @property
    def reverse(self) -> Delta:
        """What takes this back."""
        return Delta(self.removed, self.added)

    def __str__(self) -> str:
        counts = [f"{len(found)} {word}" for found, word in ((self.added, "added"), (self.removed, "removed")) if found]
        return "triples: " + (", ".join(counts) or "none")


def between(old: SourceGraph | None, new: SourceGraph) -> Delta:
    """What makes `new` of `old` (None: of nothing), in the order of the sources."""
    if old is None:
        return Delta(new.triples)
    before, after = set(old.rows), set(new.rows)
    return Delta(
        tuple(triple for row, triple in zip(new.rows, new.triples, strict=True) if row not in before),
        tuple(triple for row, triple in zip(old.rows, old.triples, strict=True) if row not in after),
    )


def applied(source: SourceGraph, delta: Delta, prefixes: Mapping[str, str] | None = None) -> SourceGraph:
    """`source` with `delta`. New triples stand behind those of their subject, so that what follows from the difference
    is found by looking at little. It has no documents: nothing of it stands in a text any more."""
    gone = {_row(triple) for triple in delta.removed}
    known = set(source.rows) if delta.added else set()
    come: dict[ox.NamedNode | ox.BlankNode, list[ox.Triple]] = {}
    for triple in dict.fromkeys(delta.added):
        if _row(triple) not in known or _row(triple) in gone:
            come.setdefault(triple.subject, []).append(triple)  # type: ignore[arg-type]
    last = {row[0]: index for index, row in enumerate(source.rows) if row[0] in come} if come else {}
    at = {index: subject for subject, index in last.items()}
    rows: list[Row] = []
    triples: list[ox.Triple] = []
    for index, row in enumerate(source.rows):
        if row not in gone:
            rows.append(row)
            triples.append(source.triples[index])
        if index in at:
            for triple in come.pop(at[index]):
                rows.append(_row(triple))
                triples.append(triple)
    for rest in come.values():
        rows += map(_row, rest)
        triples += rest
    return SourceGraph(tuple(rows), tuple(triples), (), {**source.prefixes, **(prefixes or {})})


def fresh(source: SourceGraph, added: Iterable[ox.Triple], removed: Iterable[ox.Triple] = ()) -> Delta:
    """The delta of triples that may have blank nodes: each gets a name that no node of `source` has."""
    triples = list(added)
    rows = [_row(triple) for triple in triples]
    names = skolem_names(rows)
    if names:
        taken = {row[0].value for row in source.rows if row[0].value.startswith(GENID)}
        taken.update(
            row[2].value for row in source.rows if type(row[2]) is ox.NamedNode and row[2].value.startswith(GENID)
        )
        for triple in triples:
            taken.update(part.value for part in (triple.subject, triple.object) if type(part) is ox.NamedNode)
        for node, name in names.items():
            iri, number = name.value, 1
            while iri in taken:
                number += 1
                iri = f"{name.value}.{number}"
            taken.add(iri)
            names[node] = ox.NamedNode(iri)
        triples = [ox.Triple(*(rename(part, names) for part in row)) for row in rows]  # type: ignore[arg-type]
    return Delta(tuple(triples), tuple(removed))


def without_names(triples: Iterable[ox.Triple]) -> SourceGraph:
    """The graph of `triples` with the names of blank nodes made anew: two graphs that differ only in such names have
    the same digest."""
    nodes: dict[str, ox.BlankNode] = {}

    def unnamed(term: object) -> object:
        if type(term) is ox.NamedNode and term.value.startswith(GENID):
            return nodes.setdefault(term.value, ox.BlankNode(f"n{len(nodes)}"))
        if type(term) is ox.Triple:
            return ox.Triple(unnamed(term.subject), term.predicate, unnamed(term.object))  # type: ignore[arg-type]
        return term

    return SourceGraph.of(unnamed(triple) for triple in triples)  # type: ignore[misc]


def ntriples(triples: Iterable[ox.Triple]) -> bytes:
    """Triples as N-Triples."""
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""


def parse_ntriples(text: bytes) -> tuple[ox.Triple, ...]:
    """The reverse of `ntriples`, for texts that a child or this program made."""
    return tuple(quad.triple for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES))


def _row(triple: ox.Triple) -> Row:
    return (triple.subject, triple.predicate, triple.object)  # type: ignore[return-value]
