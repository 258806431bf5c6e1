"""From triples to rows, by ``queries/project/*.rq`` alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import starmap
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, QuerySolutions, Store

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Report
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_INFERRED

from .rows import ProjectedRows, row_types

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import InferredGraph, ValidatedGraph
    from api_gateway_service_mesh.graph.change import Change, Sorted
    from api_gateway_service_mesh.graph.footprint import Footprint

__all__ = ["Question", "project", "questions", "reproject"]

_CONFIG = NamedNode(GRAPH_CONFIG)
_UNION: list[NamedNode | BlankNode | DefaultGraph] = [_CONFIG, NamedNode(GRAPH_INFERRED)]


@dataclass(frozen=True, slots=True)
class Question:
    """One query: the file it stands in, and its text."""

    place: str
    text: str


def questions(folder: Path | None = None) -> Mapping[str, Question]:
    """The queries of a folder by stem (default: the ones shipped). A file is read again only when it changed."""
    try:
        with os.scandir(folder or resources.queries("project")) as found:
            files = sorted(
                (file.name, file.path, file.stat().st_mtime_ns) for file in found if file.name.endswith(".rq")
            )
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name.removesuffix(".rq"): Question(path, _text(path, changed)) for name, path, changed in files}


def project(graph: ValidatedGraph | InferredGraph, queries: Path | None = None) -> ProjectedRows:
    """Ask every query of what people wrote and what follows from it.

    Rows come in the order the query asks for; those of one thing (with the same first column) that it leaves in any
    order, in the order of their texts.

    Args:
        graph: validated; or only inferred, to find more in a configuration that was refused already.
        queries: the folder of the queries, for those who bring their own (default: the ones shipped).

    Raises:
        ConfigError: a query is missing, is not SPARQL, or projects other variables than its row has.
    """
    return _projected(questions(queries), lambda stem, question, row_type: _answer_all(graph, question, row_type))


def reproject(
    graph: InferredGraph,
    asked: Mapping[str, Question],
    previous: ProjectedRows,
    previously: Mapping[str, Question],
    change: Change,
) -> tuple[ProjectedRows, Mapping[str, frozenset[str]] | None]:
    """What `project` gives for the questions `asked`, from what it gave for those of before (`previously`); and the
    first columns of the rows that are different, by query (None: that cannot be told).

    A query is asked about the things whose rows a changed triple can reach, and shown only what it may look at for
    them; where that cannot be told from its text, it is asked about everything.

    Raises:
        ConfigError: as `project`.
    """
    from api_gateway_service_mesh.graph.change import affected

    from .reassemble import spliced, touched_rows

    again: dict[str, list[str]] = {}
    wholly: list[str] = []

    def rows_of(stem: str, question: Question, row_type: type[Any]) -> tuple[Any, ...] | Finding:
        plan = _plan(question.text, next(iter(row_type.__dataclass_fields__)))
        if plan is None or previously.get(stem) != question:
            wholly.append(stem)
            return _answer_all(graph, question, row_type)
        roots = dict.fromkeys(root for _, root in affected(graph.index, plan.reads, change.rows))
        if None in roots:
            wholly.append(stem)
            return _answer_all(graph, question, row_type)
        before: tuple[Any, ...] = getattr(previous, stem)
        if not roots:
            return before
        store = Store()
        store.extend(Quad(*row, _CONFIG) for row in plan.footprint.gather(graph.index, roots))  # type: ignore[arg-type]
        names = again[stem] = [root.value for root in roots if isinstance(root, NamedNode)]
        answers = _answer(store, question, row_type)
        if isinstance(answers, Finding):
            return answers
        wanted = set(names)
        return spliced(before, plan.key, names, (row for row in answers if plan.key(row) in wanted))

    rows = _projected(asked, rows_of)
    return rows, None if wholly else touched_rows(previous, rows, again)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a query can be asked about some things only: what it looks at for one, and the column that names it."""

    footprint: Footprint
    reads: Sorted[None]
    key: Callable[[Any], str]


@cache
def _plan(text: str, root: str) -> _Plan | None:
    from api_gateway_service_mesh.graph.change import sorted_reads
    from api_gateway_service_mesh.graph.footprint import footprint_of
    from api_gateway_service_mesh.graph.patterns import read_patterns

    patterns = read_patterns(text)
    if patterns is None or patterns.order[:1] != (root,):
        return None
    footprint = footprint_of(patterns, root)
    if footprint is None:
        return None
    return _Plan(footprint, sorted_reads((read, None) for read in footprint.reads), attrgetter(root))


def _projected(
    asked: Mapping[str, Question], rows_of: Callable[[str, Question, type[Any]], tuple[Any, ...] | Finding]
) -> ProjectedRows:
    found: dict[str, Any] = {}
    faults: list[Finding] = []
    for stem, row_type in row_types().items():
        question = asked.get(stem)
        if question is None:
            faults.append(_fault(f"{stem}.rq", "is missing", f"every row type has its query; restore {stem}.rq"))
            continue
        rows = rows_of(stem, question, row_type)
        if isinstance(rows, Finding):
            faults.append(rows)
        else:
            found[stem] = rows
    if faults:
        raise ConfigError(Report().merged(faults))
    return replace(ProjectedRows(), **found)


def _answer_all(
    graph: ValidatedGraph | InferredGraph, question: Question, row_type: type[Any]
) -> tuple[Any, ...] | Finding:
    """All rows of one query about everything. Plain queries are answered from the index, others from a store of what
    they can look at, where their text tells that; only what is left needs a store of all there is."""
    from api_gateway_service_mesh.graph.columns import answers
    from api_gateway_service_mesh.graph.select import read_select

    wanted = tuple(row_type.__dataclass_fields__)
    plain = read_select(question.text)
    if plain is not None and set(plain.columns) == set(wanted):
        rows = answers(plain, graph.index, wanted)
        if rows is not None:
            return tuple(starmap(row_type, _settled(rows, question.text, wanted)))
    plan = _plan(question.text, wanted[0])
    roots = plan.footprint.roots(graph.index) if plan is not None else None
    if plan is None or roots is None:
        return _answer(graph.data, question, row_type)
    store = Store()
    store.extend(Quad(*row, _CONFIG) for row in plan.footprint.gather(graph.index, roots))
    return _answer(store, question, row_type)


def _answer(store: Store, question: Question, row_type: type[Any]) -> tuple[Any, ...] | Finding:
    """All rows of one query, or what is wrong with it."""
    place, text = question.place, question.text
    try:
        solutions = store.query(text, default_graph=_UNION)
    except (SyntaxError, ValueError) as error:
        return _fault(place, f"is not SPARQL: {error}", "correct the query")
    wanted = tuple(row_type.__dataclass_fields__)
    if not isinstance(solutions, QuerySolutions):
        return _fault(place, "is not a SELECT", f"SELECT {' '.join('?' + name for name in wanted)}")
    variables = tuple(variable.value for variable in solutions.variables)
    if set(variables) != set(wanted):
        told = f"projects {' '.join('?' + name for name in variables)}"
        return _fault(place, told, f"project exactly {' '.join('?' + name for name in wanted)}")
    order = [variables.index(name) for name in wanted]
    answers = [[None if term is None else term.value for term in solution] for solution in solutions]
    if order != sorted(order):
        answers = [[values[place] for place in order] for values in answers]
    return tuple(row_type(*values) for values in _settled(answers, text, wanted))


def _settled(answers: list[Any], text: str, columns: tuple[str, ...]) -> list[Any]:
    """Rows of one thing in an order that depends on nothing but them: SPARQL puts ``5`` and ``"x"`` in either order."""
    order = _order(text)
    if order[:1] != columns[:1]:
        return answers
    places = [columns.index(name) for name in order if name in columns] + list(range(len(columns)))
    start, count = 0, len(answers)
    for end in range(1, count + 1):
        if end == count or answers[end][0] != answers[start][0]:
            if end - start > 1:
                answers[start:end] = sorted(answers[start:end], key=lambda row: [row[place] or "" for place in places])
            start = end
    return answers


@cache
def _order(text: str) -> tuple[str, ...]:
    from api_gateway_service_mesh.graph.patterns import read_patterns

    patterns = read_patterns(text)
    return patterns.order if patterns else ()


@cache
def _text(file: str, _changed: int) -> str:
    return Path(file).read_text(encoding="utf-8")


def _fault(place: str, what: str, remedy: str) -> Finding:
    return Finding(
        "projection-query", f"the query {Path(place).name} {what}", location=Location(place, 1), remedy=remedy
    )
