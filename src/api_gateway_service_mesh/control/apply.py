"""``agw apply``: a configuration with what files say put in the place of what it said of the same things."""

from __future__ import annotations

from collections.abc import Iterable

import pyoxigraph as ox

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.terms import GENID

from .delta import between, ntriples, without_names

__all__ = ["applied_to", "parse_graph"]


def parse_graph(text: str) -> SourceGraph:
    """The configuration a gateway answered with, as N-Triples; an empty text is an empty graph."""
    return SourceGraph.parse(text) if text.strip() else SourceGraph.of(())


def applied_to(live: SourceGraph, files: SourceGraph, *, replace: bool) -> tuple[bytes, int, int]:
    """The configuration to send, as N-Triples, and how many triples come and go by it.

    ``replace``: the files are all of it. Else everything that they describe (each IRI that is a subject, with the blank
    nodes below it) is what they say, and the rest is as it was.
    """
    if replace:
        wanted = files
    else:
        described = {row[0].value for row in files.rows if not row[0].value.startswith(GENID)}
        gone = _below(live, described)
        kept = [triple for triple in live.triples if _name(triple.subject) not in gone]
        wanted = SourceGraph.of((*kept, *files.triples))
    if without_names(live.triples).digest == without_names(wanted.triples).digest:
        return ntriples(live.triples), 0, 0
    delta = between(live, wanted)
    return ntriples(wanted.triples), len(delta.added), len(delta.removed)


def _below(graph: SourceGraph, names: Iterable[str]) -> set[str]:
    """These names, and the blank nodes that they lead to."""
    leads: dict[str, list[str]] = {}
    for row in graph.rows:
        if type(row[2]) is ox.NamedNode and row[2].value.startswith(GENID):
            leads.setdefault(row[0].value, []).append(row[2].value)
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += leads.get(name, ())
    return found


def _name(subject: object) -> str:
    return subject.value if isinstance(subject, ox.NamedNode | ox.BlankNode) else ""
