"""What queries may see: the graphs of a build as N-Quads, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyoxigraph as ox

from api_gateway_service_mesh.graph.excerpt import secret_properties
from api_gateway_service_mesh.graph.secrets import is_reference
from api_gateway_service_mesh.vocabulary import (
    GRAPH_CONFIG,
    GRAPH_HISTORY,
    GRAPH_INFERRED,
    GRAPH_ONTOLOGY,
    GRAPH_RUNTIME,
    GRAPH_SHAPES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from api_gateway_service_mesh.graph import InferredGraph, ValidatedGraph
    from api_gateway_service_mesh.graph.terms import Row

__all__ = ["DEFAULT_GRAPHS", "NAMED_GRAPHS", "dataset_quads", "in_graph"]

DEFAULT_GRAPHS = (GRAPH_CONFIG, GRAPH_INFERRED, GRAPH_ONTOLOGY)
"""Their merge, with the runtime graph, is the endpoint's default graph."""

NAMED_GRAPHS = (*DEFAULT_GRAPHS, GRAPH_SHAPES, GRAPH_RUNTIME, GRAPH_HISTORY)


def dataset_quads(build: ValidatedGraph) -> bytes:
    """Configuration, what follows, ontology and shapes as N-Quads. Literals of secret-typed properties that are no
    reference are left out: validation refuses them, and what is refused must not be readable either. No store is made
    for it: of a large configuration that would cost more than everything else about it."""
    inferred = build.inferred
    hidden = _hidden(inferred)
    source = inferred.source
    if not hidden and "ntriples" in source.__dict__:  # of a graph that was read, the digest has asked for them
        config = source.ntriples
    else:
        config = _ntriples(row for row in source.rows if row not in hidden)
    follows = _ntriples(row for row in (*inferred.because, *inferred.rules) if row not in hidden)
    return b"".join(
        (
            in_graph(config, GRAPH_CONFIG),
            in_graph(follows, GRAPH_INFERRED),
            in_graph(inferred.ontology.ntriples, GRAPH_ONTOLOGY),
            in_graph(build.shapes.ntriples, GRAPH_SHAPES),
        )
    )


def in_graph(ntriples: bytes, graph: str) -> bytes:
    """N-Triples, as this library writes them, as N-Quads of one graph. (A line break inside a literal is escaped, so an
    end of line is the end of a triple.)"""
    return ntriples.replace(b" .\n", f" <{graph}> .\n".encode())


def _hidden(inferred: InferredGraph) -> frozenset[Row]:
    return frozenset(
        (subject, name, value)
        for name in secret_properties(inferred)
        for subject, value in inferred.index.pairs(name)
        if isinstance(value, ox.Literal) and not is_reference(value.value)
    )


def _ntriples(rows: Iterable[Row]) -> bytes:
    return ox.serialize((ox.Triple(*row) for row in rows), format=ox.RdfFormat.N_TRIPLES) or b""
