"""Reading a query for what it looks at: what is understood, and what is left alone."""

from __future__ import annotations

import pytest
from pyoxigraph import NamedNode

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.graph.patterns import Pattern, read_patterns
from api_gateway_service_mesh.graph.tbox import SUB_CLASS
from api_gateway_service_mesh.graph.terms import RDF_TYPE

P, Q, C = NamedNode("urn:p"), NamedNode("urn:q"), NamedNode("urn:C")
PREFIXES = "PREFIX u: <urn:> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "


def test_triples_groups_and_order() -> None:
    read = read_patterns(
        PREFIXES
        + """# a comment with { braces }
        SELECT DISTINCT ?a ?b WHERE {
          ?a a u:C ; u:p ?b , "x"@en , 5 .
          OPTIONAL { ?b u:q/u:p ?c FILTER(?c > 3 && EXISTS { ?c u:q true }) }
          { ?a u:p ?d } UNION { ?a u:q ?d }
          VALUES ?b { u:x u:y }
          BIND(IF(?b = "}", 1, 2) AS ?e)
        } ORDER BY ?a ?b"""
    )
    assert read is not None
    assert read.where.patterns == [
        Pattern("a", RDF_TYPE, C),
        Pattern("a", P, "b"),
        Pattern("a", P, None),
        Pattern("a", P, None),
    ]
    optional, one, other = read.where.inner
    assert [(p.predicate, p.object) for p in optional.patterns] == [(Q, " 1"), (P, "c")]
    assert optional.inner[0].patterns == [Pattern("c", Q, None)]
    assert [one.patterns, other.patterns] == [[Pattern("a", P, "d")], [Pattern("a", Q, "d")]]
    assert read.order == ("a", "b")
    assert read.where.binds("a") and not read.where.binds("b")


def test_aggregates_paths_over_classes_and_any_property() -> None:
    read = read_patterns(
        PREFIXES + "SELECT $this (SUM(?v) AS ?value) WHERE { $this ?any ?v . ?v rdfs:subClassOf+ u:C } "
        "GROUP BY $this HAVING (SUM(?v) != 100)"
    )
    assert read is not None and read.grouped == ("this",)
    assert read.where.patterns == [Pattern("this", None, "v"), Pattern("v", SUB_CLASS, C, closure=True)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?a WHERE { ?a u:p ?b MINUS { ?a u:q ?b } }",
        "SELECT ?a WHERE { GRAPH ?g { ?a u:p ?b } }",
        "SELECT ?a WHERE { ?a u:p ?b } LIMIT 1",
        "SELECT ?a WHERE { { SELECT ?a WHERE { ?a u:p ?b } } }",
        "SELECT (COUNT(?a) AS ?n) WHERE { ?a u:p ?b }",
        "SELECT ?a WHERE { ?a u:p+ ?b }",
        "SELECT ?a WHERE { ?a ^u:p ?b }",
        "SELECT ?a WHERE { ?a u:p [ u:q ?b ] }",
        "SELECT ?a WHERE { ?a u:p ?b FILTER(?b < RAND()) }",
        "SELECT ?a WHERE { ?a unknown:p ?b }",
        "no query",
        "",
    ],
)
def test_what_cannot_be_followed_is_not_followed(query: str) -> None:
    assert read_patterns(PREFIXES + query if query else query) is None


@pytest.mark.parametrize("folder", ["project", "infer"])
def test_every_shipped_query_is_understood(folder: str) -> None:
    strange = [file.name for file in resources.queries(folder).glob("*.rq") if read_patterns(file.read_text()) is None]
    assert strange == []
