"""When a query may run once for all focus nodes, and that it says the same when it does."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.ontology import Ontology
from api_gateway_service_mesh.graph.shacl import validate_shapes
from api_gateway_service_mesh.graph.shapes import ShapesGraph
from tests.support.turtle import configuration

HEAD = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <https://example.com/> .\n"
P, Q = "<https://example.com/p>", "<https://example.com/q>"

QUERIES = {
    f"SELECT $this WHERE {{ $this {P} ?v }}": True,
    f"SELECT ?this WHERE {{ ?this {P} ?v FILTER NOT EXISTS {{ ?this {Q} ?w }} }}": True,
    f"SELECT $this WHERE {{ $this {P} ?v OPTIONAL {{ $this {Q} ?w }} FILTER(!BOUND(?w)) }}": True,
    f"SELECT $this (COUNT(?v) AS ?value) WHERE {{ $this {P} ?v }} GROUP BY $this HAVING (COUNT(?v) > 1)": True,
    f"SELECT $this WHERE {{ {{ $this {P} 1 }} UNION {{ $this {P} 2 }} }}": False,
    f"SELECT $this WHERE {{ FILTER NOT EXISTS {{ $this {Q} ?w }} }}": False,
    f"SELECT $this WHERE {{ ?v {P} $this }}": False,
    f"SELECT $this WHERE {{ $this {P} ?v {{ SELECT (COUNT(?x) AS ?n) WHERE {{ ?x {Q} ?w }} }} FILTER(?n > 1) }}": False,
    f"SELECT $this WHERE {{ $this {P} ?v }} LIMIT 1": False,
    f"SELECT $this WHERE {{ $this {P} ?v . {{ SELECT ?x WHERE {{ ?x {Q} ?w FILTER(?x = $this) }} }} }}": False,
    f'SELECT $this WHERE {{ $this {P} ?v FILTER(?v != "LIMIT }} {{ ?this") }} # MINUS': True,
}


@pytest.mark.parametrize("query", QUERIES)
def test_runs_once_only_where_that_is_the_same(query: str) -> None:
    shapes = ShapesGraph(
        SourceGraph.parse(f"{HEAD}ex:S sh:targetClass ex:A ; sh:sparql [ sh:select '''{query}''' ] .").rows
    )
    (constraint,) = shapes.targeted[0].sparql
    assert constraint.at_once is QUERIES[query]
    data = "ex:a a ex:A ; ex:p 1 , 2 . ex:b a ex:A ; ex:p 1 ; ex:q ex:b . ex:c a ex:A . ex:d ex:p 1 ; ex:q ex:a ."
    inferred = infer(SourceGraph.parse(configuration(data)), Ontology.of([]), ())
    found = {result.focus for result in validate_shapes(inferred.index, lambda: inferred.data, shapes)}
    object.__setattr__(constraint, "at_once", False)
    one_by_one = {result.focus for result in validate_shapes(inferred.index, lambda: inferred.data, shapes)}
    assert found == one_by_one
