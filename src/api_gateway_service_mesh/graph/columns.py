"""Answers of plain SELECT queries (`graph.select`) from the index, a column at a time.

An engine that knows nothing of what it is asked joins triple by triple, makes Python terms of the answers, and needs
the triples in a store of its own first. Of 10,000 routes that takes seconds, this a tenth of it. Both roads give the
same rows, spelt as a store spells them (``05`` is ``5``); the tests hold them to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pyoxigraph import Literal, NamedNode, Quad, Store

from .index import Held, TripleIndex
from .select import Branch, Exists, Join, Leg, Select
from .terms import RDF, XSD, Term

__all__ = ["answers"]

_NO_PROPERTIES: Held = {}
_AS_WRITTEN = frozenset((XSD + "string", RDF + "langString"))
_PLAIN_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z")
_ANY = NamedNode("urn:x:any")

Column = list[Term | None]


def answers(query: Select, index: TripleIndex, wanted: Sequence[str]) -> list[tuple[str | None, ...]] | None:
    """The rows of a query as texts, those of one thing beside one another, things by their IRIs. ``wanted`` are its
    columns in the order they are to have, the first one first. None: they hold something that is not told here."""
    if wanted[0] != query.columns[0]:
        return None
    columns: list[Column] = [[] for _ in wanted]
    for branch in query.branches:
        table = _Table(index)
        table.run(branch)
        for place, name in enumerate(wanted):
            columns[place] += table.column(name)
    spelt = _spelt(columns)
    if spelt is None:
        return None
    texts, respelt = spelt
    rows = list(zip(*texts, strict=True))
    if respelt or not query.whole or len(query.branches) > 1:
        kept = dict(zip(zip(*columns, strict=True), rows, strict=True))
        rows = list(kept.values())
    rows.sort(key=lambda row: row[0] or "")
    return rows


@dataclass(slots=True)
class _Table:
    """The solutions so far: a column for each variable."""

    index: TripleIndex
    length: int = 1
    columns: dict[str, Column] = field(default_factory=dict)
    properties: dict[str, list[Held]] = field(default_factory=dict)
    """What is said of each value of a column; looked up once."""

    def column(self, name: str) -> Column:
        return self.columns.get(name) or [None] * self.length

    def run(self, branch: Branch) -> None:
        for step in branch.steps:
            if not self.length:
                return
            if isinstance(step, Exists):
                self._exists(step)
            elif len(step.legs) == 1 or not step.optional:
                for leg in step.legs:
                    self._leg(leg, optional=step.optional)
            else:
                self._optional(step)
        for name, iri in branch.fixed:
            self.columns[name] = [iri] * self.length

    def _begin(self, leg: Leg) -> None:
        """The first pattern: nothing leads to its subject."""
        if isinstance(leg.object, str):
            pairs = list(self.index.pairs(leg.predicate))
            self.columns[leg.subject] = [subject for subject, _ in pairs]
            self.columns[leg.object] = [value for _, value in pairs]
            self.length = len(pairs)
        else:
            self.columns[leg.subject] = list(self.index.holders(leg.predicate, leg.object))
            self.length = len(self.columns[leg.subject])

    def _held(self, variable: str, predicate: NamedNode) -> list[list[Term] | None]:
        known = self.properties.get(variable)
        if known is None:
            subjects = self.index.by_subject()
            known = self.properties[variable] = [
                subjects.get(node, _NO_PROPERTIES)  # type: ignore[arg-type]
                for node in self.columns[variable]
            ]
        return [held.get(predicate) for held in known]

    def _leg(self, leg: Leg, *, optional: bool) -> None:
        if not self.columns:
            self._begin(leg)
            return
        if optional and (not isinstance(leg.object, str) or leg.object in self.columns):
            return  # it binds nothing
        if optional and not self.index.users(leg.predicate):
            self.columns[str(leg.object)] = [None] * self.length
            return
        held = self._held(leg.subject, leg.predicate)
        if isinstance(leg.object, str) and leg.object not in self.columns:
            self._bind(leg.object, held, optional=optional)
            return
        if isinstance(leg.object, str):
            asked: Iterable[Term | None] = self.columns[leg.object]
        else:
            asked = [leg.object] * self.length
        self._take([n for n, (value, values) in enumerate(zip(asked, held, strict=True)) if values and value in values])

    def _bind(self, name: str, held: Sequence[Sequence[Term] | None], *, optional: bool) -> None:
        sizes = {len(values) if values else 0 for values in held}
        if sizes <= ({0, 1} if optional else {1}):
            self.columns[name] = [values[0] if values else None for values in held]
            return
        nothing: tuple[Term | None, ...] = (None,) if optional else ()
        lists = [values or nothing for values in held]
        self._take([number for number, values in enumerate(lists) for _ in values])
        self.columns[name] = [value for values in lists for value in values]

    def _take(self, places: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be there several times."""
        if len(places) == self.length and all(map(int.__eq__, places, range(self.length))):
            return
        for name, column in self.columns.items():
            self.columns[name] = [column[place] for place in places]
        for name, known in self.properties.items():
            self.properties[name] = [known[place] for place in places]
        self.length = len(places)

    def _optional(self, step: Join) -> None:
        """Several patterns that hold together or not at all, row by row."""
        fresh = list(dict.fromkeys(end for leg in step.legs for end in _ends(leg) if end not in self.columns))
        found: list[list[tuple[Term | None, ...]]] = []
        for number in range(self.length):
            bound = {name: column[number] for name, column in self.columns.items()}
            matches = [tuple(match[name] for name in fresh) for match in self._matches(step.legs, bound)]
            found.append(matches or [(None,) * len(fresh)])
        self._take([number for number, matches in enumerate(found) for _ in matches])
        for place, name in enumerate(fresh):
            self.columns[name] = [match[place] for matches in found for match in matches]

    def _matches(self, legs: Sequence[Leg], bound: dict[str, Term | None]) -> Iterator[dict[str, Term | None]]:
        if not legs:
            yield bound
            return
        leg, rest = legs[0], legs[1:]
        subject = bound[leg.subject]
        for value in self.index.values(subject, leg.predicate) if subject is not None else ():
            if not isinstance(leg.object, str):
                if value == leg.object:
                    yield from self._matches(rest, bound)
            elif leg.object not in bound:
                yield from self._matches(rest, {**bound, leg.object: value})
            elif bound[leg.object] == value:
                yield from self._matches(rest, bound)

    def _exists(self, step: Exists) -> None:
        verdicts = [False] * self.length
        for leg in step.any_of:
            if self.index.users(leg.predicate):
                verdicts = [one or other for one, other in zip(verdicts, self._has(leg), strict=True)]
        self.columns[step.variable] = [Literal(verdict) for verdict in verdicts]

    def _has(self, leg: Leg) -> list[bool]:
        value, index, predicate = leg.object, self.index, leg.predicate
        if leg.subject not in self.columns:
            assert isinstance(value, str)
            return [bool(node is not None and index.holders(predicate, node)) for node in self.columns[value]]
        held = self._held(leg.subject, predicate)
        if not isinstance(value, str):
            return [bool(values and value in values) for values in held]
        if value not in self.columns:
            return [bool(values) for values in held]
        return [bool(values and node in values) for node, values in zip(self.columns[value], held, strict=True)]


def _ends(leg: Leg) -> tuple[str, ...]:
    return (leg.subject, leg.object) if isinstance(leg.object, str) else (leg.subject,)


def _spelt(columns: Sequence[Column]) -> tuple[list[list[str | None]], bool] | None:
    """The texts of columns; and whether a literal is spelt otherwise than its source does, which is then changed in
    the columns too. None: there is a triple among them."""
    texts: list[list[str | None]] = []
    changed = False
    for place, column in enumerate(columns):
        kinds = set(map(type, column))
        if not kinds <= {NamedNode, Literal, type(None)}:
            return None
        if place == 0 and Literal in kinds:
            return None
        if Literal in kinds:
            others = _respelt({term for term in column if type(term) is Literal})
            if others:
                changed = True
                column[:] = [others.get(term, term) if type(term) is Literal else term for term in column]
        texts.append([None if term is None else term.value for term in column])  # type: ignore[union-attr]
    return texts, changed


def _respelt(literals: set[Literal]) -> dict[Literal, Literal]:
    """Those that a store spells differently, and how it does."""
    asked = [literal for literal in literals if not _is_settled(literal)]
    if not asked:
        return {}
    store = Store()
    names = {f"urn:x:{number}": literal for number, literal in enumerate(asked)}
    store.extend(Quad(NamedNode(name), _ANY, literal) for name, literal in names.items())
    kept = ((names[quad.subject.value], quad.object) for quad in store)
    return {literal: term for literal, term in kept if isinstance(term, Literal) and term != literal}


def _is_settled(literal: Literal) -> bool:
    kind = literal.datatype.value
    if kind in _AS_WRITTEN:
        return True
    if kind == XSD + "integer":
        return _PLAIN_NUMBER.match(literal.value) is not None
    return kind == XSD + "boolean" and literal.value in ("true", "false")
