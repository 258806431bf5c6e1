"""The named questions: ``queries/report/*.rq``, with parameters bound from a query string.

A parameter is a variable of the question; its value becomes a VALUES row at the start of the WHERE group, written by
the RDF library's own serialiser, never glued in as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.resources import queries
from api_gateway_service_mesh.vocabulary import PREFIXES, XSD

from .sparql.guard import where_group
from .sparql.tokens import tokens

__all__ = ["Question", "UnknownQuestion", "bound", "question", "questions", "term"]

_HEADER = re.compile(r"^#\s*(name|question):\s*(.*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|^`\\]*")


@dataclass(frozen=True, slots=True)
class Question:
    """One shipped query. ``variables`` are what a caller may bind."""

    name: str
    question: str
    text: str
    variables: tuple[str, ...]


class UnknownQuestion(ClientError):
    """There is no question of this name."""

    status = 404
    problem = "unknown-question"


def questions(folder: Path | None = None) -> tuple[Question, ...]:
    """All questions, by name."""
    return tuple(_read(path) for path in sorted((folder or queries("report")).glob("*.rq")))


def question(name: str, folder: Path | None = None) -> Question:
    """The question of this name.

    Raises:
        UnknownQuestion: with the names there are.
    """
    path = (folder or queries("report")) / f"{name}.rq"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(item.name for item in questions(folder))
        raise UnknownQuestion(f"there is no question {name[:80]!r}", remedy=f"there are: {known}")
    return _read(path)


def bound(asked: Question, parameters: Mapping[str, str]) -> str:
    """The text of `asked` with its variables bound to `parameters`.

    Raises:
        ClientError: a parameter is no variable of the question, or its value is no RDF term.
    """
    if not parameters:
        return asked.text
    for name in parameters:
        if name not in asked.variables:
            raise ClientError(
                f"the question {asked.name} has no parameter {name[:80]!r}",
                remedy=f"it has: {', '.join(asked.variables)}",
            )
    names = " ".join(f"?{name}" for name in parameters)
    values = " ".join(str(term(value)) for value in parameters.values())
    start = where_group(asked.text)
    return f"{asked.text[:start]} VALUES ({names}) {{ ({values}) }} {asked.text[start:]}"


def term(value: str) -> ox.NamedNode | ox.Literal:
    """A value from a query string as an RDF term: ``<iri>``, ``prefix:name`` of a prefix agw knows, ``scheme:…``, an
    integer, ``true`` or ``false``; anything else is a string.

    Raises:
        ClientError: it looks like an IRI and is none.
    """
    try:
        if value.startswith("<") and value.endswith(">"):
            return ox.NamedNode(value[1:-1])
        prefix, colon, local = value.partition(":")
        if colon and prefix in PREFIXES:
            return ox.NamedNode(PREFIXES[prefix] + local)
        if _IRI.fullmatch(value):
            return ox.NamedNode(value)
    except ValueError as error:
        raise ClientError(f"{value[:200]!r} is no IRI: {error}") from None
    if _INTEGER.fullmatch(value):
        return ox.Literal(value, datatype=ox.NamedNode(XSD.integer))
    if value in ("true", "false"):
        return ox.Literal(value == "true")
    return ox.Literal(value)


def _read(path: Path) -> Question:
    text = path.read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    found = dict.fromkeys(token.text[1:] for token in tokens(text) if token.kind == "variable")
    return Question(path.stem, header.get("question", ""), text, tuple(found))
