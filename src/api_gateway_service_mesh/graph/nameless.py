"""Graphs that are compared without the names that their blank nodes were given."""

from __future__ import annotations

from collections.abc import Iterable

from pyoxigraph import BlankNode, NamedNode, Triple

from .source import SourceGraph
from .terms import GENID

__all__ = ["without_names"]


def without_names(triples: Iterable[Triple]) -> SourceGraph:
    """The graph of `triples` with the names of blank nodes made anew: two graphs that differ only in such names have
    the same digest."""
    nodes: dict[str, BlankNode] = {}

    def unnamed(term: object) -> object:
        if type(term) is NamedNode and term.value.startswith(GENID):
            return nodes.setdefault(term.value, BlankNode(f"n{len(nodes)}"))
        if type(term) is Triple:
            return Triple(unnamed(term.subject), term.predicate, unnamed(term.object))  # type: ignore[arg-type]
        return term

    return SourceGraph.of(unnamed(triple) for triple in triples)  # type: ignore[misc]
