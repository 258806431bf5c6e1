"""What a SPARQL query looks at, read off its text: the triple patterns of every group, and how groups nest.

Only what can be followed triple by triple is understood: basic patterns, ``OPTIONAL``, ``UNION``, ``FILTER``,
``EXISTS``, ``BIND``, ``VALUES`` of one variable, sequences of predicates, ``+`` and ``*`` over ``rdfs:subClassOf``. Of
any other query `read_patterns` says nothing, and whoever asked runs it over everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyoxigraph import NamedNode

from .tbox import SUB_CLASS
from .terms import RDF_TYPE

__all__ = ["Group", "Pattern", "Patterns", "Reader", "Strange", "read_patterns"]

_TOKEN = re.compile(
    r"(?P<skip>\s+|#[^\n]*)"
    r"|(?P<iri><[^<>\"{}|^`\\\x00-\x20]*>)"
    r'|(?P<text>"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
    r"|(?P<var>[?$]\w+)"
    r"|(?P<number>[+-]?(?:\d+\.\d+|\d+))"
    r"|(?P<name>[A-Za-z][\w-]*:(?:[\w.-]*[\w-])?|:[\w-]+)"
    r"|(?P<word>[A-Za-z]\w*)"
    r"|(?P<mark>\|\||&&|!=|<=|>=|\^\^|@\w+|.)",
    re.DOTALL,
)
_STRANGE = frozenset(("MINUS", "GRAPH", "SERVICE", "FROM", "LIMIT", "OFFSET", "REDUCED", "ASK", "DESCRIBE"))
_FICKLE = frozenset(("RAND", "UUID", "STRUUID", "NOW", "BNODE"))
_AGGREGATES = frozenset(("COUNT", "SUM", "MIN", "MAX", "AVG", "SAMPLE", "GROUP_CONCAT"))

Token = tuple[str, str]
_Path = list[tuple[NamedNode | None, bool]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One triple pattern. A string is a variable's name, None a constant that is no IRI, or as predicate a variable;
    ``closure``: the predicate may be walked several times."""

    subject: str | NamedNode
    predicate: NamedNode | None
    object: str | NamedNode | None
    closure: bool = False


@dataclass(slots=True)
class Group:
    """What stands between two braces.

    ``alternatives`` are bare groups, with those that UNION puts beside them; ``inner`` has them and all other groups.
    """

    patterns: list[Pattern] = field(default_factory=list)
    inner: list[Group] = field(default_factory=list)
    alternatives: list[list[Group]] = field(default_factory=list)

    def binds(self, variable: str) -> bool:
        """Whether every solution has a value for `variable` because a pattern has it as subject."""
        return any(p.subject == variable and not p.closure for p in self.patterns) or any(
            all(group.binds(variable) for group in groups) for groups in self.alternatives
        )


@dataclass(frozen=True, slots=True)
class Patterns:
    """``order`` are the variables of ORDER BY (none when it has other things too); ``grouped`` those of GROUP BY, None
    without aggregates."""

    where: Group
    order: tuple[str, ...]
    grouped: tuple[str, ...] | None


class Strange(Exception):
    """The query has something that is not followed here."""


def read_patterns(query: str) -> Patterns | None:
    """The patterns of a SELECT or CONSTRUCT query; None when it is not understood."""
    try:
        return Reader(query).read()
    except (Strange, IndexError, ValueError):
        return None


class Reader:
    """Goes through the tokens of one query."""

    def __init__(self, query: str) -> None:
        self.tokens: list[Token] = []
        for found in _TOKEN.finditer(query):
            kind = found.lastgroup or ""
            if kind != "skip":
                self.tokens.append((kind, found.group()))
        self.at = 0
        self.prefixes: dict[str, str] = {}
        self.hidden = 0

    def read(self) -> Patterns:
        """All of it.

        Raises:
            Strange, IndexError, ValueError: it is not understood.
        """
        words = [text.upper() for kind, text in self.tokens if kind == "word"]
        if (
            any(word in _STRANGE or word in _FICKLE for word in words)
            or words.count("SELECT") + words.count("CONSTRUCT") != 1
        ):
            raise Strange
        self.prologue()
        if self.word() == "CONSTRUCT":
            self.skip_to("}")
        else:
            self.skip_to("{", before=True)
        if self.word() == "WHERE":
            self.at += 1
        self.expect("{")
        where = self.group()
        grouped = order = None
        tail = self.tokens[self.at :]
        for number, (kind, text) in enumerate(tail):
            if kind == "word" and text.upper() == "BY":
                names = tuple(_variables(tail[number + 1 :]))
                if tail[number - 1][1].upper() == "GROUP":
                    grouped = names
                elif len(names) == len(tail) - number - 1:
                    order = names
        if any(word in _AGGREGATES for word in words) and grouped is None:
            raise Strange
        return Patterns(where, order or (), grouped)

    def prologue(self) -> None:
        """The prefixes."""
        while self.word() == "PREFIX":
            self.at += 1
            name, iri = self.next()[1], self.next()[1]
            self.prefixes[name.rstrip(":")] = iri[1:-1]

    # -- tokens

    def word(self) -> str:
        kind, text = self.tokens[self.at]
        return text.upper() if kind == "word" else text

    def next(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, text: str) -> None:
        if self.next()[1] != text:
            raise Strange

    def skip_to(self, text: str, *, before: bool = False) -> None:
        while self.tokens[self.at][1] != text:
            self.at += 1
        if not before:
            self.at += 1

    # -- groups

    def group(self) -> Group:
        """What follows an opening brace, up to its closing one."""
        made = Group()
        while True:
            word = self.word()
            if word == "}":
                self.at += 1
                return made
            if word == ".":
                self.at += 1
            elif word == "{":
                made.alternatives.append(self.union())
                made.inner += made.alternatives[-1]
            elif word == "VALUES":
                self.at += 1
                if self.next()[0] != "var":
                    raise Strange
                self.skip_to("}")
            elif word == "OPTIONAL":
                self.at += 1
                self.expect("{")
                made.inner.append(self.group())
            elif word in ("FILTER", "BIND"):
                self.at += 1
                self.expression(made)
            elif word == "SELECT":
                raise Strange
            else:
                self.triples(made)

    def union(self) -> list[Group]:
        groups = []
        while True:
            self.expect("{")
            groups.append(self.group())
            if self.word() != "UNION":
                return groups
            self.at += 1

    def expression(self, made: Group) -> None:
        """``NOT EXISTS { … }``, ``FUNCTION(…)`` or ``( … )``; groups inside become inner groups."""
        depth = 0
        while True:
            kind, text = self.next()
            if text == "{":
                made.inner.append(self.group())
                if not depth:
                    return
            elif kind == "mark" and text == "(":
                depth += 1
            elif kind == "mark" and text == ")":
                depth -= 1
                if not depth:
                    return
            elif not depth and kind not in ("word", "iri", "name"):
                raise Strange

    def triples(self, made: Group) -> None:
        subject = self.term()
        if subject is None:
            raise Strange
        while True:
            path = self.path()
            while True:
                self.chain(made, subject, path, self.term())
                if self.word() != ",":
                    break
                self.at += 1
            if self.word() != ";":
                return
            while self.word() == ";":
                self.at += 1
            if self.word() in (".", "}"):
                return

    def chain(
        self,
        made: Group,
        subject: str | NamedNode,
        path: list[tuple[NamedNode | None, bool]],
        value: str | NamedNode | None,
    ) -> None:
        for predicate, closure in path[:-1]:
            self.hidden += 1
            between = f" {self.hidden}"
            made.patterns.append(Pattern(subject, predicate, between, closure))
            subject = between
        predicate, closure = path[-1]
        made.patterns.append(Pattern(subject, predicate, value, closure))

    def path(self) -> _Path:
        steps: _Path = []
        while True:
            kind, text = self.next()
            if kind == "var":
                return [*steps, (None, False)]
            predicate = RDF_TYPE if (kind, text) == ("word", "a") else self.iri(kind, text)
            closure = self.word() in ("+", "*")
            if closure:
                if predicate != SUB_CLASS:
                    raise Strange
                self.at += 1
            steps.append((predicate, closure))
            if self.word() != "/":
                return steps
            self.at += 1

    def term(self) -> str | NamedNode | None:
        kind, text = self.next()
        if kind == "var":
            return text[1:]
        if kind in ("iri", "name"):
            return self.iri(kind, text)
        if kind in ("text", "number") or (kind == "word" and text in ("true", "false")):
            if self.word().startswith("@"):
                self.at += 1
            elif self.word() == "^^":
                self.at += 2
            return None
        raise Strange

    def iri(self, kind: str, text: str) -> NamedNode:
        if kind == "iri":
            return NamedNode(text[1:-1])
        if kind != "name":
            raise Strange
        prefix, _, local = text.partition(":")
        if prefix not in self.prefixes:
            raise Strange
        return NamedNode(self.prefixes[prefix] + local)


def _variables(tokens: list[Token]) -> Iterator[str]:
    for kind, text in tokens:
        if kind != "var":
            return
        yield text[1:]
