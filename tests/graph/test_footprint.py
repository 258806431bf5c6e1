"""How far a change reaches, and what a query may look at: enough, and not everything."""

from __future__ import annotations

import re

import pytest
from pyoxigraph import NamedNode, Quad, Store

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.change import affected, sorted_reads
from api_gateway_service_mesh.graph.footprint import Footprint, footprint_of
from api_gateway_service_mesh.graph.index import TripleIndex
from api_gateway_service_mesh.graph.patterns import read_patterns
from api_gateway_service_mesh.graph.shacl import shipped_shapes
from api_gateway_service_mesh.graph.terms import AGW, CONFIG_GRAPH, RDF_TYPE
from tests.support.edits import BASE
from tests.support.turtle import configuration

EX = "https://example.com/"
PREFIXES = "PREFIX u: <urn:> "


def _footprint(query: str, root: str) -> Footprint | None:
    patterns = read_patterns(PREFIXES + query)
    return footprint_of(patterns, root) if patterns else None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?a WHERE { OPTIONAL { ?a u:p ?b } }",  # no row depends on ?a alone
        "SELECT ?a WHERE { ?a u:p ?b . ?c u:q ?d }",  # a second thing that nothing leads to
        "SELECT ?a WHERE { ?a u:p ?b OPTIONAL { ?a u:q ?x } OPTIONAL { ?x u:r ?y } }",  # ?x may stay unbound
        "SELECT ?a WHERE { { ?a u:p ?b } UNION { ?b u:q ?c } }",
        "SELECT (SUM(?b) AS ?n) WHERE { ?a u:p ?b } GROUP BY ?b",
    ],
)
def test_what_is_not_about_one_thing_has_none(query: str) -> None:
    assert _footprint(query, "a") is None


def test_what_a_change_reaches() -> None:
    footprint = _footprint("SELECT ?a WHERE { ?a u:p ?b . ?b u:q ?c . ?d u:r ?c . ?g a u:G ; u:s ?h }", "a")
    assert footprint is not None
    a, b, c, d, g = (NamedNode(f"urn:{name}") for name in "abcdg")
    p, q, r, s = (NamedNode(f"urn:{name}") for name in "pqrs")
    kind = NamedNode("urn:G")
    index = TripleIndex([(a, p, b), (b, q, c), (d, r, c), (g, s, d), (g, RDF_TYPE, kind), (d, p, a)])
    reads = sorted_reads((read, None) for read in footprint.reads)

    def roots(*row: NamedNode) -> set[object]:
        return {root for _, root in affected(index, reads, [row])}  # type: ignore[list-item]

    assert roots(a, p, NamedNode("urn:gone")) == {a}
    assert roots(b, q, NamedNode("urn:gone")) == {a}
    assert roots(NamedNode("urn:gone"), r, c) == {a}
    assert roots(NamedNode("urn:other"), NamedNode("urn:unseen"), a) == set()
    assert roots(g, s, a) == {None}, "it depends on no root, so every root depends on it"
    assert set(footprint.gather(index, [a])) == {(a, p, b), (b, q, c), (d, r, c), (g, RDF_TYPE, kind), (g, s, d)}


@pytest.mark.parametrize("file", sorted(resources.queries("project").glob("*.rq")), ids=lambda file: file.stem)
def test_a_projection_asked_about_one_thing_answers_as_when_asked_about_all(file: object) -> None:
    text = file.read_text()  # type: ignore[attr-defined]
    root = re.search(r"SELECT DISTINCT \?(\w+)", text)
    assert root is not None
    patterns = read_patterns(text)
    footprint = footprint_of(patterns, root[1]) if patterns else None
    assert footprint is not None, f"{text}\ncan only be asked about everything: a change of one route costs them all"
    index = TripleIndex(SourceGraph.parse(BASE).rows)
    every = list(index.subjects())

    def answers(rows: object) -> list[tuple[str, ...]]:
        store = Store()
        store.extend(Quad(*row, CONFIG_GRAPH) for row in rows)  # type: ignore[attr-defined]
        return sorted(tuple(map(str, s)) for s in store.query(text, default_graph=[CONFIG_GRAPH]))  # type: ignore[union-attr,arg-type]

    whole = answers(index)
    one_by_one = [row for node in every for row in answers(footprint.gather(index, [node])) if row[0] == str(node)]
    assert sorted(one_by_one) == whole


def test_every_shipped_sparql_constraint_can_be_asked_about_one_node() -> None:
    shapes = shipped_shapes()
    queries = [query for shape in shapes.targeted for query in shape.sparql]
    assert queries and all(query.footprint is not None for query in queries)


def test_shared_things_do_not_spread() -> None:
    """A route that shares its limiter with others is changed alone."""
    query = f"SELECT ?route WHERE {{ ?route <{AGW}hasRateLimiter> ?limit . ?limit <{AGW}requestsPerSecond> ?rate }}"
    footprint = _footprint(query, "route")
    assert footprint is not None
    routes = "".join(f"ex:r{n} a agw:Route ; agw:hasRateLimiter ex:limit . " for n in range(9))
    source = SourceGraph.parse(configuration(routes + "ex:limit a agw:RateLimiter ; agw:requestsPerSecond 5 ."))
    index, reads = TripleIndex(source.rows), sorted_reads((read, None) for read in footprint.reads)
    link = next(row for row in source.rows if row[1].value.endswith("hasRateLimiter"))
    rate = next(row for row in source.rows if row[1].value.endswith("requestsPerSecond"))
    assert len(dict.fromkeys(affected(index, reads, [link]))) == 1
    assert len(dict.fromkeys(affected(index, reads, [rate]))) == 9
