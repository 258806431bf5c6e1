"""Triples in plain dicts, both ways: what inference and validation look things up in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pyoxigraph import NamedNode

from .terms import RDF_TYPE, Resource, Row, Term

__all__ = ["TripleIndex"]

_NONE: dict[NamedNode, list[Term]] = {}


class TripleIndex:
    """A set of triples by subject and predicate, and (built per predicate, when asked) by object.

    pyoxigraph terms are the keys: their hash costs 0.1 µs, and no text is compared.
    """

    __slots__ = ("_by_object", "_by_predicate", "_rows", "_subjects")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Row, None] = {}
        self._subjects: dict[Resource, dict[NamedNode, list[Term]]] = {}
        self._by_predicate: dict[NamedNode, list[tuple[Resource, Term]]] = defaultdict(list)
        self._by_object: dict[NamedNode, dict[Term, list[Resource]]] = {}
        self.extend(rows)

    def extend(self, rows: Iterable[Row]) -> None:
        """Add triples; those already there stay once."""
        known, subjects, by_predicate, by_object = self._rows, self._subjects, self._by_predicate, self._by_object
        for row in rows:
            if row in known:
                continue
            known[row] = None
            subject, predicate, value = row
            properties = subjects.get(subject)
            if properties is None:
                subjects[subject] = {predicate: [value]}
            elif predicate in properties:
                properties[predicate].append(value)
            else:
                properties[predicate] = [value]
            by_predicate[predicate].append((subject, value))
            if predicate in by_object:
                by_object[predicate].setdefault(value, []).append(subject)

    def __contains__(self, row: Row) -> bool:
        return row in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def subjects(self) -> Iterable[Resource]:
        """Every subject, once."""
        return self._subjects

    def predicates(self) -> Iterable[NamedNode]:
        """Every predicate, once."""
        return self._by_predicate

    def properties(self, subject: Term) -> dict[NamedNode, list[Term]]:
        """All that is said of `subject`, by predicate. Not to be changed."""
        return self._subjects.get(subject, _NONE)  # type: ignore[arg-type]

    def values(self, subject: Term, predicate: NamedNode) -> list[Term]:
        """The objects of a subject's property. Not to be changed."""
        return self.properties(subject).get(predicate) or []

    def value(self, subject: Term, predicate: NamedNode) -> Term | None:
        """The first object of a subject's property."""
        found = self.properties(subject).get(predicate)
        return found[0] if found else None

    def pairs(self, predicate: NamedNode) -> list[tuple[Resource, Term]]:
        """Subject and object of every triple with this predicate. Not to be changed."""
        return self._by_predicate.get(predicate) or []

    def holders(self, predicate: NamedNode, value: Term) -> list[Resource]:
        """The subjects that have this value. Not to be changed."""
        found = self._by_object.get(predicate)
        if found is None:
            found = self._by_object[predicate] = {}
            for subject, held in self.pairs(predicate):
                found.setdefault(held, []).append(subject)
        return found.get(value) or []

    def instances(self, kind: NamedNode) -> list[Resource]:
        """The subjects stated (or inferred) to be of a class."""
        return self.holders(RDF_TYPE, kind)
