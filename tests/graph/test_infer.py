"""The closure says what owlrl's OWL-RL closure says (domain and range left out), and every conclusion has its reasons."""

from __future__ import annotations

import owlrl
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode, Triple

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.ontology import Ontology, agw_ontology
from api_gateway_service_mesh.graph.rdflib_bridge import graph_of
from api_gateway_service_mesh.graph.rules import Rule, shipped_rules
from api_gateway_service_mesh.graph.terms import AGW, OWL, RDF_TYPE, RDFS, Row
from tests.support.turtle import configuration

EX = "https://example.com/"


def ex(name: str) -> NamedNode:
    return NamedNode(EX + name)


CLASSES = [ex(name) for name in "ABCD"]
PROPERTIES = [ex(name) for name in ("p", "q", "r")]
NODES = [ex(name) for name in ("x", "y", "z", "w")]
TRANSITIVE, SYMMETRIC = NamedNode(OWL + "TransitiveProperty"), NamedNode(OWL + "SymmetricProperty")

class_axioms = st.tuples(
    st.sampled_from(CLASSES),
    st.sampled_from([NamedNode(RDFS + "subClassOf"), NamedNode(OWL + "equivalentClass")]),
    st.sampled_from(CLASSES),
)
property_axioms = st.one_of(
    st.tuples(
        st.sampled_from(PROPERTIES),
        st.sampled_from(
            [NamedNode(RDFS + "subPropertyOf"), NamedNode(OWL + "equivalentProperty"), NamedNode(OWL + "inverseOf")]
        ),
        st.sampled_from(PROPERTIES),
    ),
    st.tuples(st.sampled_from(PROPERTIES), st.just(RDF_TYPE), st.sampled_from([TRANSITIVE, SYMMETRIC])),
)
facts = st.one_of(
    st.tuples(st.sampled_from(NODES), st.just(RDF_TYPE), st.sampled_from(CLASSES)),
    st.tuples(st.sampled_from(NODES), st.sampled_from(PROPERTIES), st.sampled_from(NODES)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(class_axioms, property_axioms), max_size=6), st.lists(facts, min_size=1, max_size=8))
def test_same_triples_as_owlrl(axioms: list[Row], abox: list[Row]) -> None:
    source = SourceGraph.of(Triple(*row) for row in (*axioms, *abox))
    ours = {row for row in infer(source, Ontology.of([]), ()).index if _is_fact(row)}
    graph = graph_of(source.rows, {})
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(graph)
    theirs = {
        (NamedNode(str(s)), NamedNode(str(p)), NamedNode(str(o)))
        for s, p, o in graph
        if all(isinstance(term, rdflib.URIRef) for term in (s, p, o))
    }
    assert ours == {row for row in theirs if _is_fact(row)}


def _is_fact(row: Row) -> bool:
    subject, predicate, value = row
    if subject not in NODES:
        return False
    return value in CLASSES if predicate == RDF_TYPE else predicate in PROPERTIES and value in NODES


def test_domain_and_range_take_no_part() -> None:
    source = SourceGraph.parse(
        configuration("ex:r agw:hasBackendService ex:b . agw:hasBackendService rdfs:range agw:BackendService .")
    )
    assert infer(source).inferred == ()


def test_sub_classes_of_the_ontology() -> None:
    inferred = infer(SourceGraph.parse(configuration("ex:c a agw:CanaryDeployment .")))
    assert Triple(ex("c"), RDF_TYPE, NamedNode(AGW + "TrafficSplit")) in inferred.inferred


def test_an_inferred_triple_leads_back_to_the_lines_it_follows_from() -> None:
    inferred = infer(
        SourceGraph.parse(configuration("ex:Public rdfs:subClassOf agw:Route .\nex:r a ex:Public ."), "shop.ttl")
    )
    triple = Triple(ex("r"), RDF_TYPE, NamedNode(AGW + "Route"))
    assert triple in inferred.inferred
    assert inferred.premises(triple) == (
        Triple(ex("r"), RDF_TYPE, ex("Public")),
        Triple(ex("Public"), NamedNode(RDFS + "subClassOf"), NamedNode(AGW + "Route")),
    )
    assert str(inferred.locate(EX + "r", RDF_TYPE.value, AGW + "Route")) == "shop.ttl:8:8"
    assert inferred.rule_of(triple) is None
    assert inferred.premises(Triple(ex("r"), RDF_TYPE, ex("Public"))) == ()


def test_a_policy_handed_down_by_a_class_is_found_where_the_class_states_it() -> None:
    text = """\
ex:Public rdfs:subClassOf agw:Route ;
    agw:hasRateLimiter ex:limit .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 5 .
ex:users a ex:Public ; agw:routePath "/users" ."""
    inferred = infer(SourceGraph.parse(configuration(text), "shop.ttl"))
    handed = Triple(ex("users"), NamedNode(AGW + "hasRateLimiter"), ex("limit"))
    assert handed in inferred.inferred
    assert inferred.rule_of(handed) == "inherit-1-class:hasRateLimiter"
    assert set(inferred.premises(handed)) == {
        Triple(ex("Public"), NamedNode(AGW + "hasRateLimiter"), ex("limit")),
        Triple(ex("users"), RDF_TYPE, ex("Public")),
    }
    assert str(inferred.locate(EX + "users", AGW + "hasRateLimiter", EX + "limit")) == "shop.ttl:8:24"
    assert inferred.file_of(EX + "users", AGW + "hasRateLimiter") is not None


def test_rules_and_axioms_feed_each_other() -> None:
    ontology = Ontology.of(list(SourceGraph.parse(configuration("ex:p rdfs:subPropertyOf ex:q .")).rows))
    rule = Rule("r", f"CONSTRUCT {{ ?s <{EX}p> ?o }} WHERE {{ ?s <{EX}start> ?o }}")
    second = Rule("s", f"CONSTRUCT {{ ?s <{EX}end> ?o }} WHERE {{ ?s <{EX}q> ?o }}")
    inferred = infer(SourceGraph.parse(configuration("ex:a ex:start ex:b .")), ontology, (second, rule))
    assert Triple(ex("a"), ex("end"), ex("b")) in inferred.inferred
    assert len(inferred.store) == 5


def test_rules_that_never_end_are_refused() -> None:
    rule = Rule(
        "r", f"CONSTRUCT {{ ?o <{EX}p> ?new }} WHERE {{ ?s <{EX}p> ?o BIND(IRI(CONCAT(STR(?o), 'x')) AS ?new) }}"
    )
    with pytest.raises(ConfigError, match="do not come to an end"):
        infer(SourceGraph.parse(configuration("ex:a ex:p ex:b .")), Ontology.of([]), (rule,))


def test_a_literal_the_store_would_rewrite_is_not_inferred_anew() -> None:
    rule = Rule("r", f"CONSTRUCT {{ ?s <{EX}p> ?o }} WHERE {{ ?s <{EX}p> ?o }}")
    inferred = infer(SourceGraph.parse(configuration('ex:a ex:p "01"^^xsd:integer .')), Ontology.of([]), (rule,))
    assert inferred.inferred == ()


def test_what_is_no_absolute_iri_stands_nowhere() -> None:
    inferred = infer(SourceGraph.parse(configuration("ex:a a agw:Route .")))
    assert inferred.locate("edge", AGW + "hasRoute") is None
    assert inferred.locate("edge", "hasRoute", "x") is None


def test_the_shipped_rules_and_ontology_are_read_once() -> None:
    assert shipped_rules() is shipped_rules()
    assert agw_ontology() is agw_ontology()
