"""The difference between two configurations as triples that come and triples that go, and how it is applied.

Blank nodes that an update brings get names by the rule of `graph.skolem`, and never the name of a node that is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyoxigraph as ox

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.excerpt import masked
from api_gateway_service_mesh.graph.nameless import without_names
from api_gateway_service_mesh.graph.skolem import rename, skolem_names
from api_gateway_service_mesh.graph.terms import Row

__all__ = ["Delta", "applied", "between", "fresh", "ntriples", "parse_ntriples", "without_names"]


@dataclass(frozen=True, slots=True)
class Delta:
    """Triples that come and triples that go. All nodes have IRIs."""

    added: tuple[ox.Triple, ...] = ()
    removed: tuple[ox.Triple, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def masked(self, secrets: Collection[ox.NamedNode]) -> Delta:
        """As it may be told: without values of the properties `secrets` that are no references."""
        return Delta(tuple(masked(t, secrets) for t in self.added), tuple(masked(t, secrets) for t in self.removed))

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
    step = new.step
    if step is not None and step.parent is old.identity:
        again = set(step.removed).intersection(step.added)
        return Delta(
            tuple(ox.Triple(*row) for row in step.added if row not in again),
            tuple(ox.Triple(*row) for row in step.removed if row not in again),
        )
    before, after = set(old.rows), set(new.rows)
    return Delta(
        tuple(triple for row, triple in zip(new.rows, new.triples, strict=True) if row not in before),
        tuple(triple for row, triple in zip(old.rows, old.triples, strict=True) if row not in after),
    )


def applied(source: SourceGraph, delta: Delta, prefixes: Mapping[str, str] | None = None) -> SourceGraph:
    """`source` with `delta` (`SourceGraph.changed`)."""
    return source.changed(map(_row, delta.removed), map(_row, delta.added), prefixes)


def fresh(source: SourceGraph, added: Iterable[ox.Triple], removed: Iterable[ox.Triple] = ()) -> Delta:
    """The delta of triples that may have blank nodes: each gets a name that no node of `source` has."""
    triples = list(added)
    rows = [_row(triple) for triple in triples]
    names = skolem_names(rows)
    if names:
        taken: set[str] = set()
        for triple in triples:
            taken.update(part.value for part in (triple.subject, triple.object) if type(part) is ox.NamedNode)
        for node, name in names.items():
            iri, number = name.value, 1
            while iri in taken or iri in source.generated:
                number += 1
                iri = f"{name.value}.{number}"
            taken.add(iri)
            names[node] = ox.NamedNode(iri)
        triples = [ox.Triple(*(rename(part, names) for part in row)) for row in rows]  # type: ignore[arg-type]
    return Delta(tuple(triples), tuple(removed))


def ntriples(triples: Iterable[ox.Triple]) -> bytes:
    """Triples as N-Triples."""
    return ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES) or b""


def parse_ntriples(text: bytes) -> tuple[ox.Triple, ...]:
    """The reverse of `ntriples`, for texts that a child or this program made."""
    return tuple(quad.triple for quad in ox.parse(text, format=ox.RdfFormat.N_TRIPLES))


def _row(triple: ox.Triple) -> Row:
    return (triple.subject, triple.predicate, triple.object)  # type: ignore[return-value]
