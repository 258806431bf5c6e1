"""From triples to rows, by ``queries/project/*.rq`` alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, QuerySolutions

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import ConfigError, Finding, Location, Report
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_INFERRED

from .rows import ProjectedRows, row_types

if TYPE_CHECKING:
    from api_gateway_service_mesh.graph import InferredGraph, ValidatedGraph

__all__ = ["project"]

_UNION: list[NamedNode | BlankNode | DefaultGraph] = [NamedNode(GRAPH_CONFIG), NamedNode(GRAPH_INFERRED)]


def project(graph: ValidatedGraph | InferredGraph, queries: Path | None = None) -> ProjectedRows:
    """Ask every query of what people wrote and what follows from it.

    Args:
        graph: validated; or only inferred, to find more in a configuration that was refused already.
        queries: the folder of the queries, for those who bring their own (default: the ones shipped).

    Raises:
        ConfigError: a query is missing, is not SPARQL, or projects other variables than its row has.
    """
    texts = _texts(queries or resources.queries("project"))
    found: dict[str, Any] = {}
    faults: list[Finding] = []
    for stem, row_type in row_types().items():
        place, text = texts.get(stem, ("", None))
        if text is None:
            faults.append(_fault(f"{stem}.rq", "is missing", f"every row type has its query; restore {stem}.rq"))
            continue
        try:
            solutions = graph.data.query(text, default_graph=_UNION)
        except (SyntaxError, ValueError) as error:
            faults.append(_fault(place, f"is not SPARQL: {error}", "correct the query"))
            continue
        wanted = tuple(row_type.__dataclass_fields__)
        if not isinstance(solutions, QuerySolutions):
            faults.append(_fault(place, "is not a SELECT", f"SELECT {' '.join('?' + name for name in wanted)}"))
            continue
        variables = tuple(variable.value for variable in solutions.variables)
        if set(variables) != set(wanted):
            told = f"projects {' '.join('?' + name for name in variables)}"
            faults.append(_fault(place, told, f"project exactly {' '.join('?' + name for name in wanted)}"))
            continue
        found[stem] = _rows(row_type, [variables.index(name) for name in wanted], solutions)
    if faults:
        raise ConfigError(Report().merged(faults))
    return ProjectedRows(**found)


def _rows(row_type: type[Any], order: list[int], solutions: QuerySolutions) -> tuple[Any, ...]:
    answers = ([None if term is None else term.value for term in solution] for solution in solutions)
    if order == sorted(order):
        return tuple(row_type(*values) for values in answers)
    return tuple(row_type(*(values[place] for place in order)) for values in answers)


def _texts(folder: Path) -> dict[str, tuple[str, str]]:
    files = sorted(folder.glob("*.rq"))
    return {file.stem: (str(file), _text(file, file.stat().st_mtime_ns)) for file in files}


@cache
def _text(file: Path, _changed: int) -> str:
    return file.read_text(encoding="utf-8")


def _fault(place: str, what: str, remedy: str) -> Finding:
    return Finding(
        "projection-query", f"the query {Path(place).name} {what}", location=Location(place, 1), remedy=remedy
    )
