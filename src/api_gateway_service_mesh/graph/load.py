"""Parsing: from a `Document` to rows, or to findings that say what is wrong where.

pyoxigraph does the parsing (0 of the 826 W3C syntax tests judged wrong). It accepts malformed literals such as
``"2s"^^xsd:integer`` in silence, as RDF demands; `sh:datatype` reports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyoxigraph import BlankNode, NamedNode, RdfFormat, Triple, parse

from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Report

from .document import Document, location_at
from .nesting import MAX_DEPTH, TooDeep, check_depth
from .syntax import syntax_findings
from .terms import RDF_TYPE, Row, Term
from .tokens import tokens

__all__ = ["Parsed", "parse_document"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one document holds: its triples in document order and the prefixes it declares.

    ``triples`` are as the parser made them (labels without scope), ``rows`` taken apart.
    """

    rows: Sequence[Row]
    triples: Sequence[Triple]
    prefixes: Mapping[str, str]


def parse_document(document: Document, scope: str = "") -> Parsed:
    """All triples of `document`. Blank node labels get `scope` in front, so that documents can be merged.

    Named graphs (TriG, N-Quads, JSON-LD) are merged into one.

    Raises:
        ConfigError: the text is not well formed, nests deeper than 100, or holds no statement.
    """
    is_json = document.format == RdfFormat.JSON_LD
    try:
        check_depth(document.text, json=is_json)
    except TooDeep as error:
        place = location_at(document, error.offset)
        raise ConfigError(
            Finding(
                "too-deep",
                f"more than {MAX_DEPTH} brackets are open here",
                location=place,
                remedy="give inner things a name of their own instead of nesting them",
            )
        ) from None
    reader = parse(document.text.encode(), format=document.format, base_iri=document.base)
    triples: list[Triple] = []
    errors: list[SyntaxError] = []
    while True:
        try:
            triples.extend(quad.triple for quad in reader)
            break
        except SyntaxError as error:  # the reader goes on after an error; what follows may be its echo
            errors.append(error)
            if len(errors) >= 64 or is_json:
                break
        except MemoryError:  # the parser's buffer for one token
            raise ConfigError(
                Finding(
                    "too-large",
                    f"a value or a name in {document.name} has more than 16 MiB, or a quote is never closed",
                    location=_longest(document),
                    remedy="keep contents in files of their own and write their path; close every quote",
                )
            ) from None
    if errors:
        raise ConfigError(Report().merged(syntax_findings(document, errors, reader.prefixes)))
    if not triples:
        raise ConfigError(
            Finding(
                "empty",
                f"{document.name} holds no statement",
                location=Location(document.name, 1, 1),
                remedy="write at least one route, or run `agw init` for a first one",
            )
        )
    rows = _taken_apart(triples)
    if scope:
        rows = [_scoped(row, scope) for row in rows]
    return Parsed(rows, triples, dict(reader.prefixes))


def _taken_apart(triples: Sequence[Triple]) -> list[Row]:
    """Triples as rows. A predicate, a class, and the subject of neighbours are one object wherever they stand: that
    halves the memory, and what is the same object need not be compared."""
    rows: list[Row] = []
    names: dict[Term, Term] = {}
    once = names.setdefault
    before: Term | None = None
    for subject, predicate, value in triples:
        if subject != before:
            before = subject
        predicate = once(predicate, predicate)
        rows.append((before, predicate, once(value, value) if predicate == RDF_TYPE else value))  # type: ignore[arg-type]
    return rows


def _longest(document: Document) -> Location:
    """Where the longest token starts."""
    spans = [(0, 0), *((end - start, start) for _, _, start, end in tokens(document.text))]
    return location_at(document, max(spans)[1])


def _scoped(row: Row, scope: str) -> Row:
    subject, predicate, value = row
    if type(subject) is NamedNode and type(value) not in (BlankNode, Triple):
        return row
    return _scope_term(subject, scope), predicate, _scope_term(value, scope)  # type: ignore[return-value]


def _scope_term(term: Term, scope: str) -> Term:
    if type(term) is BlankNode:
        return BlankNode(scope + term.value)
    if type(term) is Triple:
        subject, value = _scope_term(term.subject, scope), _scope_term(term.object, scope)
        return Triple(subject, term.predicate, value)  # type: ignore[arg-type]
    return term
