"""Class and property axioms, closed: what follows from saying that something is of a class or has a property.

Understood: ``rdfs:subClassOf``, ``rdfs:subPropertyOf``, ``owl:equivalentClass``, ``owl:equivalentProperty``,
``owl:inverseOf``, ``owl:TransitiveProperty``, ``owl:SymmetricProperty``, between named terms. ``rdfs:domain`` and
``rdfs:range`` take no part: with them whatever a property points at gets the type that `sh:class` wants to demand.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from pyoxigraph import NamedNode, Triple

from .terms import OWL, RDF_TYPE, RDFS, Row

__all__ = ["AXIOMS", "Tbox", "is_axiom"]

SUB_CLASS = NamedNode(RDFS + "subClassOf")
SUB_PROPERTY = NamedNode(RDFS + "subPropertyOf")
EQUIVALENT_CLASS = NamedNode(OWL + "equivalentClass")
EQUIVALENT_PROPERTY = NamedNode(OWL + "equivalentProperty")
INVERSE = NamedNode(OWL + "inverseOf")
TRANSITIVE = NamedNode(OWL + "TransitiveProperty")
SYMMETRIC = NamedNode(OWL + "SymmetricProperty")

AXIOMS = frozenset({SUB_CLASS, SUB_PROPERTY, EQUIVALENT_CLASS, EQUIVALENT_PROPERTY, INVERSE})

Path = tuple[Triple, ...]
"""The axioms that lead from one term to another, in order."""

_NONE: dict[NamedNode, Path] = {}


def is_axiom(row: Row) -> bool:
    """Whether a triple says something about classes or properties that the closure takes account of."""
    _, predicate, value = row
    return predicate in AXIOMS or (predicate == RDF_TYPE and value in (TRANSITIVE, SYMMETRIC))


class Tbox:
    """The axioms of the ontology and of a configuration. Immutable; `with_rows` makes a larger one."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._axioms = tuple(row for row in rows if is_axiom(row))
        self._above: dict[NamedNode, dict[NamedNode, Triple]] = defaultdict(dict)
        self._inverses: dict[NamedNode, dict[NamedNode, Triple]] = defaultdict(dict)
        self._transitive: dict[NamedNode, Triple] = {}
        self._symmetric: dict[NamedNode, Triple] = {}
        self._closed: dict[NamedNode, dict[NamedNode, Path]] = {}
        for row in self._axioms:
            self._take(row)

    def _take(self, row: Row) -> None:
        subject, predicate, value = row
        if type(subject) is not NamedNode or type(value) is not NamedNode:
            return
        stated = Triple(subject, predicate, value)
        if predicate in (SUB_CLASS, SUB_PROPERTY):
            self._above[subject].setdefault(value, stated)
        elif predicate in (EQUIVALENT_CLASS, EQUIVALENT_PROPERTY):
            self._above[subject].setdefault(value, stated)
            self._above[value].setdefault(subject, stated)
        elif predicate == INVERSE:
            self._inverses[subject].setdefault(value, stated)
            self._inverses[value].setdefault(subject, stated)
        elif value == TRANSITIVE:
            self._transitive[subject] = stated
        else:
            self._symmetric[subject] = stated

    def with_rows(self, rows: Iterable[Row]) -> Tbox:
        """This and the axioms among `rows`; itself when there are none."""
        axiomatic: dict[NamedNode, bool] = {}
        added = []
        for row in rows:  # a predicate is looked at once: few are of the kind
            known = axiomatic.get(row[1])
            if known is None:
                known = axiomatic[row[1]] = row[1] in AXIOMS or row[1] == RDF_TYPE
            if known and is_axiom(row):
                added.append(row)
        return Tbox((*self._axioms, *added)) if added else self

    def above(self, term: NamedNode) -> dict[NamedNode, Path]:
        """Every class (or property) that `term` implies, itself left out, with the axioms that lead there."""
        if term not in self._above:
            return _NONE
        closed = self._closed.get(term)
        if closed is None:
            closed = self._closed[term] = {}
            todo = deque([(term, ())])  # type: deque[tuple[NamedNode, Path]]
            while todo:
                current, path = todo.popleft()
                for upper, axiom in self._above.get(current, {}).items():
                    if upper != term and upper not in closed:
                        closed[upper] = (*path, axiom)
                        todo.append((upper, closed[upper]))
        return closed

    def named(self) -> Iterable[NamedNode]:
        """Every class and property that implies another."""
        return self._above.keys()

    def inverses(self, term: NamedNode) -> dict[NamedNode, Triple]:
        """The properties stated to be inverse to `term`."""
        return self._inverses.get(term, {})

    def transitive(self, term: NamedNode) -> Triple | None:
        """The axiom that makes a property transitive."""
        return self._transitive.get(term)

    def symmetric(self, term: NamedNode) -> Triple | None:
        """The axiom that makes a property symmetric."""
        return self._symmetric.get(term)

    @property
    def is_local(self) -> bool:
        """True when what follows about a subject follows from what is said of it alone (no inverses, no chains)."""
        return not (self._inverses or self._transitive or self._symmetric)

    def active(self, term: NamedNode) -> bool:
        """Whether a triple with this predicate can imply anything."""
        return term in self._above or term in self._inverses or term in self._transitive or term in self._symmetric
