"""Plain SELECT queries, read into steps that `graph.columns` takes.

Nearly every query of ``queries/project`` follows properties from one thing: ``?route a agw:Route``, then ``OPTIONAL``
after ``OPTIONAL``. What is understood, and nothing else (`read_select` says None of the rest):

- ``SELECT DISTINCT`` of variables, ``ORDER BY`` of variables, the first column first;
- triple patterns whose subject something before them leads to, their predicate an IRI or a variable of ``VALUES``;
- ``OPTIONAL`` with such patterns, ``UNION`` of groups of them, ``BIND(EXISTS {…} || EXISTS {…} AS ?x)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pyoxigraph import NamedNode

from .patterns import Reader, Strange
from .terms import RDF_TYPE

__all__ = ["Branch", "Exists", "Join", "Leg", "Select", "Step", "read_select"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One triple pattern; a string is a variable's name."""

    subject: str
    predicate: NamedNode
    object: str | NamedNode


@dataclass(frozen=True, slots=True)
class Join:
    """Patterns that hold together; ``optional``: or nothing is bound by them."""

    legs: tuple[Leg, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """``variable`` is whether any of these patterns holds."""

    variable: str
    any_of: tuple[Leg, ...]


Step = Join | Exists


@dataclass(frozen=True, slots=True)
class Branch:
    """One way to an answer. ``fixed`` are the variables that VALUES gives it."""

    steps: tuple[Step, ...]
    fixed: tuple[tuple[str, NamedNode], ...] = ()


@dataclass(frozen=True, slots=True)
class Select:
    """A query: the answers of all branches together, each once. ``whole``: no variable is left out of them."""

    columns: tuple[str, ...]
    branches: tuple[Branch, ...]
    whole: bool


@cache
def read_select(query: str) -> Select | None:
    """The steps of a query; None when not all of it is understood."""
    try:
        return _SelectReader(query).select()
    except (Strange, IndexError, ValueError):
        return None


_Raw = tuple[str, NamedNode | str, str | NamedNode]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A branch whose predicates may be variables still."""

    steps: tuple[tuple[str, tuple[_Raw, ...], str], ...] = ()
    values: tuple[tuple[str, NamedNode], ...] = ()


class _SelectReader(Reader):
    def select(self) -> Select:
        self.prologue()
        self.expect_word("SELECT")
        self.expect_word("DISTINCT")
        columns = self.variables()
        if self.word() == "WHERE":
            self.at += 1
        self.expect("{")
        drafts = self.where(outermost=True)
        self.expect_word("ORDER")
        self.expect_word("BY")
        order = self.variables()
        if self.at != len(self.tokens) or order[:1] != columns[:1] or len(set(columns)) != len(columns):
            raise Strange
        branches = tuple(_settled(draft, columns[0]) for draft in drafts)
        bound = {name for branch in branches for name in _bound(branch)}
        if not bound >= set(columns):
            raise Strange
        return Select(columns, branches, bound <= set(columns))

    def expect_word(self, word: str) -> None:
        if self.word() != word:
            raise Strange
        self.at += 1

    def variables(self) -> tuple[str, ...]:
        found = []
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "var":
            found.append(self.next()[1][1:])
        if not found:
            raise Strange
        return tuple(found)

    def where(self, *, outermost: bool) -> list[_Draft]:
        """The branches of what stands between two braces."""
        drafts = [_Draft()]
        while True:
            word = self.word()
            if word == "}":
                self.at += 1
                return drafts
            if word == ".":
                self.at += 1
            elif word == "{":
                # A group joins as a whole: what is optional in it may not come after other patterns.
                first = outermost and drafts == [_Draft()]
                drafts = [_joined(draft, other) for draft in drafts for other in self.union_of(first)]
            elif word == "VALUES":
                self.at += 1
                name, given = self.values_of()
                drafts = [_Draft(draft.steps, (*draft.values, (name, iri))) for draft in drafts for iri in given]
            elif word == "OPTIONAL" and outermost:
                self.at += 1
                self.expect("{")
                drafts = _with(drafts, ("optional", self.legs(), ""))
            elif word == "BIND" and outermost:
                self.at += 1
                drafts = _with(drafts, self.bind())
            else:
                drafts = _with(drafts, ("join", self.legs_of_subject(), ""))

    def union_of(self, first: bool) -> list[_Draft]:
        found: list[_Draft] = []
        while True:
            self.expect("{")
            found += self.where(outermost=first)
            if self.word() != "UNION":
                return found
            self.at += 1

    def values_of(self) -> tuple[str, list[NamedNode]]:
        kind, text = self.next()
        self.expect("{")
        given = []
        while self.word() != "}":
            given.append(self.iri(*self.next()))
        self.at += 1
        if kind != "var" or not given:
            raise Strange
        return text[1:], given

    def bind(self) -> tuple[str, tuple[_Raw, ...], str]:
        self.expect("(")
        any_of: list[_Raw] = []
        while True:
            self.expect_word("EXISTS")
            self.expect("{")
            legs = self.legs()
            if len(legs) != 1:
                raise Strange
            any_of += legs
            if self.word() != "||":
                break
            self.at += 1
        self.expect_word("AS")
        kind, text = self.next()
        self.expect(")")
        if kind != "var":
            raise Strange
        return "exists", tuple(any_of), text[1:]

    def legs(self) -> tuple[_Raw, ...]:
        """Triple patterns up to the closing brace."""
        found: list[_Raw] = []
        while self.word() != "}":
            if self.word() == ".":
                self.at += 1
            else:
                found += self.legs_of_subject()
        self.at += 1
        return tuple(found)

    def legs_of_subject(self) -> tuple[_Raw, ...]:
        kind, text = self.next()
        if kind != "var":
            raise Strange
        found: list[_Raw] = []
        while True:
            predicate = self.predicate()
            while True:
                value = self.term()
                if value is None:
                    raise Strange
                found.append((text[1:], predicate, value))
                if self.word() != ",":
                    break
                self.at += 1
            if self.word() != ";":
                return tuple(found)
            while self.word() == ";":
                self.at += 1
            if self.word() in (".", "}"):
                return tuple(found)

    def predicate(self) -> NamedNode | str:
        kind, text = self.next()
        if kind == "var":
            return text[1:]
        found = RDF_TYPE if (kind, text) == ("word", "a") else self.iri(kind, text)
        if self.word() in ("+", "*", "/", "|", "?"):
            raise Strange
        return found


def _with(drafts: Sequence[_Draft], step: tuple[str, tuple[_Raw, ...], str]) -> list[_Draft]:
    return [_Draft((*draft.steps, step), draft.values) for draft in drafts]


def _joined(draft: _Draft, other: _Draft) -> _Draft:
    return _Draft((*draft.steps, *other.steps), (*draft.values, *other.values))


def _settled(draft: _Draft, root: str) -> Branch:
    """A branch in which every pattern begins at a variable that has a value by then.

    Raises:
        Strange: there is one that does not.
    """
    fixed = dict(draft.values)
    certain: set[str] = set()
    perhaps: set[str] = set()
    steps: list[Step] = []
    if len(fixed) != len(draft.values):
        raise Strange
    for kind, raw, variable in draft.steps:
        legs = tuple(_leg(leg, fixed) for leg in raw)
        if kind == "exists":
            if variable in certain | perhaps or variable in fixed:
                raise Strange
            for leg in legs:
                ends = [end for end in (leg.subject, leg.object) if isinstance(end, str)]
                if not set(ends) & certain or set(ends) & (perhaps | fixed.keys()):
                    raise Strange
            perhaps.add(variable)
            steps.append(Exists(variable, legs))
            continue
        here: set[str] = set()
        for leg in legs:
            if not steps and not here:
                here.add(leg.subject)
                if leg.subject != root and not isinstance(leg.object, str):
                    raise Strange
            if leg.subject not in certain | here or leg.object in perhaps or leg.object == leg.subject:
                raise Strange
            if isinstance(leg.object, str):
                here.add(leg.object)
        if kind == "optional" and not steps:
            raise Strange
        if kind == "optional":
            perhaps |= here - certain
        else:
            certain |= here
        steps.append(Join(legs, kind == "optional"))
    if not steps or root not in certain or fixed.keys() & (certain | perhaps):
        raise Strange
    return Branch(tuple(steps), tuple(fixed.items()))


def _leg(raw: _Raw, fixed: dict[str, NamedNode]) -> Leg:
    subject, predicate, value = raw
    if isinstance(predicate, str):
        if predicate not in fixed:
            raise Strange
        predicate = fixed[predicate]
    return Leg(subject, predicate, value)


def _bound(branch: Branch) -> set[str]:
    found = {name for name, _ in branch.fixed}
    for step in branch.steps:
        if isinstance(step, Exists):
            found.add(step.variable)
        else:
            found.update(end for leg in step.legs for end in (leg.subject, leg.object) if isinstance(end, str))
    return found
