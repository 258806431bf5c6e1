"""rdflib graphs in and out. rdflib is imported here only, and this module only when someone asks (it costs 0.3 s)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from .terms import Row, Term

__all__ = ["graph_of", "rows_from"]


def rows_from(graph: rdflib.Graph) -> list[Row]:
    """The triples of an rdflib graph. Triples with a literal subject (rdflib allows them) are no RDF: ValueError."""
    return [(_term(s), _term(p), _term(o)) for s, p, o in graph]  # type: ignore[misc]


def graph_of(rows: Iterable[Row], prefixes: Mapping[str, str]) -> rdflib.Graph:
    """The same triples in rdflib; lexical forms stay as written. Triple terms, which rdflib lacks, are left out."""
    graph = rdflib.Graph()
    for prefix, iri in prefixes.items():
        graph.bind(prefix, iri, override=True)
    for subject, predicate, value in rows:
        if not isinstance(value, Triple):
            graph.add((_node(subject), _node(predicate), _node(value)))
    return graph


def _term(node: rdflib.term.Node) -> Term:
    if isinstance(node, rdflib.URIRef):
        return NamedNode(str(node))
    if isinstance(node, rdflib.BNode):
        return BlankNode("b" + hashlib.sha256(str(node).encode()).hexdigest()[:32])
    if isinstance(node, rdflib.Literal):
        if node.language:
            return Literal(str(node), language=node.language)
        return Literal(str(node), datatype=NamedNode(str(node.datatype))) if node.datatype else Literal(str(node))
    raise ValueError(f"{node!r} is no RDF term")


def _node(term: Term) -> rdflib.term.Identifier:
    if isinstance(term, NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, BlankNode):
        return rdflib.BNode(term.value)
    if isinstance(term, Literal):
        if term.language:
            return rdflib.Literal(term.value, lang=term.language)
        datatype = term.datatype.value
        plain = datatype == "http://www.w3.org/2001/XMLSchema#string"
        return rdflib.Literal(term.value, datatype=None if plain else rdflib.URIRef(datatype), normalize=False)
    raise ValueError(f"{term} is no RDF 1.1 term")
