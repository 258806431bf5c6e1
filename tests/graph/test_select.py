"""Plain queries answered from the index: the same rows as the store gives, and nothing that is not understood."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Triple

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.columns import answers
from api_gateway_service_mesh.graph.select import read_select
from api_gateway_service_mesh.graph.terms import AGW, XSD
from api_gateway_service_mesh.projection.project import _answer, _answer_all, questions
from api_gateway_service_mesh.projection.rows import row_types
from tests.support.edits import BASE, edited, triples
from tests.support.turtle import routes_turtle

_EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.ttl"))


def _both_roads_agree(source: SourceGraph) -> None:
    graph = infer(source)
    for stem, row_type in row_types().items():
        question = questions()[stem]
        assert _answer_all(graph, question, row_type) == _answer(graph.data, question, row_type), stem


def test_nearly_all_of_the_shipped_queries_are_understood() -> None:
    others = [stem for stem, question in questions().items() if read_select(question.text) is None]
    assert len(others) * 10 < len(questions()), f"the index does not answer these: {others}"


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_examples(path: Path) -> None:
    _both_roads_agree(SourceGraph.load([path]))


@pytest.mark.parametrize("seed", range(25))
def test_edited_configurations_valid_or_not(seed: int) -> None:
    text = BASE if seed % 2 else routes_turtle(6)
    rows, _ = edited(SourceGraph.parse(text).rows, random.Random(f"select {seed}"))
    _both_roads_agree(SourceGraph.of(triples(rows)))


def test_literals_are_spelt_as_a_store_spells_them_and_told_once() -> None:
    limit = NamedNode("urn:x:limit")
    odd = [("05", "integer"), ("5", "integer"), ("5", "int"), ("5", "string"), ("5.00", "decimal"), ("x", "integer")]
    odd += [("1", "boolean"), ("PT60S", "dayTimeDuration"), ("PT1M", "dayTimeDuration"), ("-0", "integer")]
    held = [Triple(limit, NamedNode(AGW + "burstSize"), Literal(v, datatype=NamedNode(XSD + t))) for v, t in odd]
    held.append(
        Triple(limit, NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"), NamedNode(AGW + "RateLimiter"))
    )
    _both_roads_agree(SourceGraph.of(held))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?a WHERE { ?a u:p ?b } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?b }",
        "SELECT DISTINCT ?a ?b WHERE { ?a u:p ?b } ORDER BY ?b",
        "SELECT DISTINCT ?a ?c WHERE { ?a u:p ?b } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?b FILTER(?b > 3) } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p 5 } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p/u:q ?b } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a ?p ?b } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?a } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?b . ?c u:p ?d } ORDER BY ?a",
        "SELECT DISTINCT ?a ?d WHERE { ?a u:p ?b OPTIONAL { ?b u:q ?c } OPTIONAL { ?c u:q ?d } } ORDER BY ?a",
        "SELECT DISTINCT ?a ?c WHERE { ?a u:p ?b OPTIONAL { ?a u:q ?c } OPTIONAL { ?b u:q ?c } } ORDER BY ?a",
        "SELECT DISTINCT ?a ?c WHERE { ?a u:p ?b { ?a u:q ?d OPTIONAL { ?d u:q ?c } } } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?b } ORDER BY ?a LIMIT 1",
        "SELECT DISTINCT ?a WHERE { ?a w:p ?b } ORDER BY ?a",
        "SELECT DISTINCT ?a WHERE { ?a u:p ?b MINUS { ?a u:q ?b } } ORDER BY ?a",
        "SELECT DISTINCT ?a (1 AS ?b) WHERE { ?a u:p ?c } ORDER BY ?a",
    ],
)
def test_what_is_not_understood_is_left_alone(query: str) -> None:
    assert read_select("PREFIX u: <urn:> " + query) is None


def test_a_value_that_is_a_triple_is_left_alone() -> None:
    query = read_select("PREFIX u: <urn:> SELECT DISTINCT ?a ?b WHERE { ?a u:p ?b } ORDER BY ?a")
    a, p = NamedNode("urn:a"), NamedNode("urn:p")
    graph = infer(SourceGraph.of([Triple(a, p, Triple(a, p, a))]))
    assert query is not None and answers(query, graph.index, ("a", "b")) is None
