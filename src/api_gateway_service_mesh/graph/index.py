"""Triples in plain dicts, both ways: what inference and validation look things up in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from pyoxigraph import NamedNode

from .terms import RDF_TYPE, Resource, Row, Term

__all__ = ["Held", "TripleIndex"]

_NONE: dict[NamedNode, list[Term]] = {}
_NOBODY: dict[Resource, None] = {}
_SHARE = 8
"""Once what came and went is an eighth of what is shared, a copy shares it no more."""

Held = dict[NamedNode, list[Term]]


class TripleIndex:
    """A set of triples by subject and predicate, and (built per predicate, when asked) by object.

    pyoxigraph terms are the keys: their hash costs 0.1 µs, and no text is compared. Of one subject, properties and
    values keep the order in which they came; nothing may depend on the order of subjects, which `without` and `copy`
    do not keep.
    """

    __slots__ = (
        "_by_object",
        "_come",
        "_gone",
        "_own_predicates",
        "_own_subjects",
        "_own_values",
        "_rows",
        "_shared",
        "_subjects",
        "_users",
    )

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Row, None] = {}
        """Where it is shared with a copy, what came and went since stands beside it."""
        self._come: dict[Row, None] = {}
        self._gone: set[Row] = set()
        self._subjects: dict[Resource, Held] = {}
        self._users: dict[NamedNode, dict[Resource, None]] = {}
        self._by_object: dict[NamedNode, dict[Term, list[Resource]]] = {}
        self._shared = False
        self._own_predicates: set[NamedNode] = set()
        self._own_subjects: set[Resource] = set()
        self._own_values: set[tuple[NamedNode, Term]] = set()
        self._fill(dict.fromkeys(rows))

    def _fill(self, rows: dict[Row, None]) -> None:
        """Begin with these triples, each once."""
        self._rows = rows
        subjects, users = self._subjects, self._users
        for subject, predicate, value in rows:
            properties = subjects.get(subject)
            if properties is None:
                subjects[subject] = {predicate: [value]}
            elif predicate in properties:
                properties[predicate].append(value)
                continue
            else:
                properties[predicate] = [value]
            held_by = users.get(predicate)
            if held_by is None:
                users[predicate] = {subject: None}
            else:
                held_by[subject] = None

    def copy(self) -> TripleIndex:
        """An index with the same triples, whose changes do not change this one. What stays the same is shared."""
        twin = TripleIndex()
        if (len(self._come) + len(self._gone)) * _SHARE > len(self._rows):
            twin._rows = dict.fromkeys(self)
        else:
            twin._rows, twin._come, twin._gone = self._rows, self._come.copy(), self._gone.copy()
        twin._subjects = self._subjects.copy()
        twin._users = self._users.copy()
        twin._by_object = self._by_object.copy()
        twin._shared = self._shared = True
        self._own_predicates, self._own_subjects, self._own_values = set(), set(), set()
        return twin

    def extend(self, rows: Iterable[Row]) -> None:
        """Add triples; those already there stay once."""
        known, subjects, users, by_object = self._rows, self._subjects, self._users, self._by_object
        shared = self._shared
        for row in rows:
            if row in self if shared else row in known:
                continue
            subject, predicate, value = row
            if shared:
                self._make_own(row)
                if row in self._gone:
                    self._gone.remove(row)
                else:
                    self._come[row] = None
            else:
                known[row] = None
            properties = subjects.get(subject)
            if properties is None:
                subjects[subject] = {predicate: [value]}
            elif predicate in properties:
                properties[predicate].append(value)
            else:
                properties[predicate] = [value]
            held_by = users.get(predicate)
            if held_by is None:
                users[predicate] = {subject: None}
            else:
                held_by[subject] = None
            if predicate in by_object:
                by_object[predicate].setdefault(value, []).append(subject)

    def without(self, subjects: Iterable[Resource]) -> None:
        """Take out all that is said of these subjects."""
        for subject in subjects:
            properties = self._subjects.pop(subject, _NONE)
            for predicate, values in properties.items():
                self._own_predicate(predicate)
                del self._users[predicate][subject]
                found = self._by_object.get(predicate)
                for value in values:
                    self._drop((subject, predicate, value))
                    if found is None:
                        continue
                    holders = found[value].copy()
                    holders.remove(subject)  # it stands there once, as the triple does
                    if holders:
                        found[value] = holders
                        self._own_values.add((predicate, value))
                    else:
                        del found[value]

    def _drop(self, row: Row) -> None:
        if not self._shared:
            del self._rows[row]
        elif row in self._come:
            del self._come[row]
        else:
            self._gone.add(row)

    def _make_own(self, row: Row) -> None:
        """Copy the parts shared with another index that adding this triple changes."""
        subject, predicate, value = row
        self._own_predicate(predicate)
        if subject not in self._own_subjects:
            self._own_subjects.add(subject)
            if subject in self._subjects:
                self._subjects[subject] = {p: list(values) for p, values in self._subjects[subject].items()}
        if (predicate, value) not in self._own_values:
            self._own_values.add((predicate, value))
            found = self._by_object.get(predicate)
            if found is not None and value in found:
                found[value] = list(found[value])

    def _own_predicate(self, predicate: NamedNode) -> None:
        if self._shared and predicate not in self._own_predicates:
            self._own_predicates.add(predicate)
            if predicate in self._users:
                self._users[predicate] = self._users[predicate].copy()
            if predicate in self._by_object:
                self._by_object[predicate] = self._by_object[predicate].copy()

    def __contains__(self, row: Row) -> bool:
        return row in self._come or (row in self._rows and row not in self._gone)

    def __len__(self) -> int:
        return len(self._rows) + len(self._come) - len(self._gone)

    def __iter__(self) -> Iterator[Row]:
        gone = self._gone
        return chain((row for row in self._rows if row not in gone) if gone else self._rows, self._come)

    def subjects(self) -> Iterable[Resource]:
        """Every subject, once."""
        return self._subjects

    def predicates(self) -> Iterable[NamedNode]:
        """Every predicate, once."""
        return (predicate for predicate, users in self._users.items() if users)

    def by_subject(self) -> Mapping[Term, Held]:
        """All triples by subject, then predicate: for loops too hot for a call each. Not to be changed."""
        return self._subjects  # type: ignore[return-value]  # any term may be looked for

    def properties(self, subject: Term) -> Held:
        """All that is said of `subject`, by predicate. Not to be changed."""
        return self._subjects.get(subject, _NONE)  # type: ignore[arg-type]

    def values(self, subject: Term, predicate: NamedNode) -> list[Term]:
        """The objects of a subject's property. Not to be changed."""
        return self.properties(subject).get(predicate) or []

    def value(self, subject: Term, predicate: NamedNode) -> Term | None:
        """The first object of a subject's property."""
        found = self.properties(subject).get(predicate)
        return found[0] if found else None

    def users(self, predicate: NamedNode) -> Mapping[Resource, None]:
        """The subjects that have this property, once each. Not to be changed."""
        return self._users.get(predicate, _NOBODY)

    def pairs(self, predicate: NamedNode) -> Iterator[tuple[Resource, Term]]:
        """Subject and object of every triple with this predicate."""
        subjects = self._subjects
        return ((subject, value) for subject in self.users(predicate) for value in subjects[subject][predicate])

    def holders(self, predicate: NamedNode, value: Term) -> list[Resource]:
        """The subjects that have this value. Not to be changed."""
        return self.inverse(predicate).get(value) or []

    def inverse(self, predicate: NamedNode) -> dict[Term, list[Resource]]:
        """The subjects of a property by its values; made when first asked for. Not to be changed."""
        found = self._by_object.get(predicate)
        if found is None:
            found = self._by_object[predicate] = {}
            for subject, held in self.pairs(predicate):
                if held in found:
                    found[held].append(subject)
                else:
                    found[held] = [subject]
        return found

    def instances(self, kind: NamedNode) -> list[Resource]:
        """The subjects stated (or inferred) to be of a class."""
        return self.holders(RDF_TYPE, kind)
