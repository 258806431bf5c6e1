"""The RDF terms this room reasons with: the W3C vocabularies, the agw namespace, and what a term is called in print.

The agw terms that only the projection reads stand in ``vocabulary``; here are those that loading, inference and
validation themselves treat specially.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from pyoxigraph import BlankNode, Literal, NamedNode, Triple

__all__ = [
    "AGW",
    "CONFIG_GRAPH",
    "GENID",
    "INFERRED_GRAPH",
    "ONTOLOGY_GRAPH",
    "OWL",
    "RDF",
    "RDFS",
    "RDF_FIRST",
    "RDF_NIL",
    "RDF_REST",
    "RDF_TYPE",
    "SH",
    "SHAPES_GRAPH",
    "WELL_KNOWN_PREFIXES",
    "XSD",
    "Resource",
    "Row",
    "Term",
    "lexical",
    "local_name",
    "turtle",
]

AGW = "https://ggen.ai/ontology/api-gateway#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SH = "http://www.w3.org/ns/shacl#"

GENID = "urn:agw:genid:"
"""Blank nodes of a configuration get IRIs that begin so (see `graph.skolem`)."""

CONFIG_GRAPH = NamedNode("urn:agw:graph:config")
INFERRED_GRAPH = NamedNode("urn:agw:graph:inferred")
ONTOLOGY_GRAPH = NamedNode("urn:agw:graph:ontology")
SHAPES_GRAPH = NamedNode("urn:agw:graph:shapes")

RDF_TYPE = NamedNode(RDF + "type")
RDF_FIRST = NamedNode(RDF + "first")
RDF_REST = NamedNode(RDF + "rest")
RDF_NIL = NamedNode(RDF + "nil")

WELL_KNOWN_PREFIXES: Mapping[str, str] = {
    "agw": AGW,
    "rdf": RDF,
    "rdfs": RDFS,
    "owl": OWL,
    "xsd": XSD,
    "sh": SH,
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
}

Resource: TypeAlias = NamedNode | BlankNode
Term: TypeAlias = NamedNode | BlankNode | Literal | Triple
Row: TypeAlias = tuple[Resource, NamedNode, Term]
"""A triple taken apart once: every attribute read of a pyoxigraph object makes a new Python object."""

_LOCAL = re.compile(r"[^/#:]+\Z")
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_](?:[\w.-]*[\w-])?\Z")
_SHORTHAND = {
    XSD + "integer": re.compile(r"[+-]?[0-9]+\Z"),
    XSD + "decimal": re.compile(r"[+-]?[0-9]*\.[0-9]+\Z"),
    XSD + "double": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\Z"),
    XSD + "boolean": re.compile(r"(?:true|false)\Z"),
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def local_name(iri: str) -> str:
    """The last part of an IRI, after ``#``, ``/`` or ``:``; the whole IRI when nothing follows."""
    found = _LOCAL.search(iri)
    return found.group() if found else iri


def lexical(term: Term) -> str:
    """A term as a bare string: IRI, blank node label, or a literal's lexical form."""
    return str(term) if isinstance(term, Triple) else term.value


def turtle(term: Term, prefixes: Mapping[str, str]) -> str:
    """A term as people write it in Turtle with these prefixes: ``agw:Route``, ``"GET"``, ``5``, ``<urn:x>``."""
    if isinstance(term, NamedNode):
        return _iri(term.value, prefixes)
    if isinstance(term, Literal):
        if term.language:
            return f'"{term.value.translate(_ESCAPES)}"@{term.language}'
        datatype = term.datatype.value
        shorthand = _SHORTHAND.get(datatype)
        if shorthand and shorthand.match(term.value):
            return term.value
        quoted = f'"{term.value.translate(_ESCAPES)}"'
        return quoted if datatype == XSD + "string" else f"{quoted}^^{_iri(datatype, prefixes)}"
    return str(term)


def _iri(iri: str, prefixes: Mapping[str, str]) -> str:
    if iri == RDF_TYPE.value:
        return "a"
    best = ("", "")
    for prefix, namespace in (*WELL_KNOWN_PREFIXES.items(), *prefixes.items()):
        if namespace and iri.startswith(namespace) and len(namespace) >= len(best[1]):
            best = (prefix, namespace)
    if best[1]:
        local = iri[len(best[1]) :]
        if not local or _PLAIN_LOCAL.match(local):
            return f"{best[0]}:{local}"
    return f"<{iri}>"
