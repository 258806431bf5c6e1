"""What queries may see: the graphs of a build as N-Quads, without secrets."""

from __future__ import annotations

import pyoxigraph as ox

from api_gateway_service_mesh.graph.secrets import is_reference
from api_gateway_service_mesh.vocabulary import (
    AGW,
    GRAPH_CONFIG,
    GRAPH_HISTORY,
    GRAPH_INFERRED,
    GRAPH_ONTOLOGY,
    GRAPH_RUNTIME,
    GRAPH_SHAPES,
    RDFS,
)

__all__ = ["DEFAULT_GRAPHS", "NAMED_GRAPHS", "dataset_quads", "secret_properties"]

DEFAULT_GRAPHS = (GRAPH_CONFIG, GRAPH_INFERRED, GRAPH_ONTOLOGY)
"""Their merge, with the runtime graph, is the endpoint's default graph."""

NAMED_GRAPHS = (*DEFAULT_GRAPHS, GRAPH_SHAPES, GRAPH_RUNTIME, GRAPH_HISTORY)


def secret_properties(store: ox.Store) -> frozenset[str]:
    """``agw:secretRef`` and every property below it, in any graph of `store`."""
    found = {AGW.secretRef, AGW.privateKeyRef}
    below = ox.NamedNode(RDFS.subPropertyOf)
    todo = list(found)
    while todo:
        for quad in store.quads_for_pattern(None, below, ox.NamedNode(todo.pop())):
            if isinstance(quad.subject, ox.NamedNode) and quad.subject.value not in found:
                found.add(quad.subject.value)
                todo.append(quad.subject.value)
    return frozenset(found)


def dataset_quads(store: ox.Store) -> bytes:
    """All of `store` as N-Quads. Literals of secret-typed properties that are no reference are left out: validation
    refuses them, and what is refused must not be readable either."""
    stated = [
        quad
        for name in secret_properties(store)
        for quad in store.quads_for_pattern(None, ox.NamedNode(name), None)
        if not (isinstance(quad.object, ox.Literal) and is_reference(quad.object.value))
    ]
    # In the ontology and shapes an object of these is a term, not a value.
    hidden = {quad for quad in stated if isinstance(quad.object, ox.Literal)}
    if not hidden:
        return store.dump(format=ox.RdfFormat.N_QUADS) or b""
    quads = (quad for quad in store if quad not in hidden)
    return ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
