"""The third stage whole: graphs of the store, warnings kept, violations raised."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pyoxigraph import NamedNode

from api_gateway_service_mesh.errors import ConfigError, Severity
from api_gateway_service_mesh.graph import SourceGraph, check, infer, validate
from tests.support.turtle import configuration, routes_turtle

SHOP = configuration("""
ex:Public rdfs:subClassOf agw:Route ; agw:hasBackendService ex:b .
ex:b a agw:BackendService ; agw:address "b:80" .
ex:r a ex:Public ; agw:routePath "/x" ; agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] .
""")


def test_the_store_has_the_four_graphs() -> None:
    validated = validate(infer(SourceGraph.parse(SHOP)))
    names = {str(name) for name in validated.store.named_graphs()}
    assert names == {f"<urn:agw:graph:{name}>" for name in ("config", "inferred", "ontology", "shapes")}
    config = NamedNode("urn:agw:graph:config")
    assert len(list(validated.store.quads_for_pattern(None, None, None, config))) == len(
        validated.inferred.source.triples
    )
    inferred = NamedNode("urn:agw:graph:inferred")
    assert len(list(validated.store.quads_for_pattern(None, None, None, inferred))) == len(validated.inferred.inferred)


def test_no_blank_node_reaches_config_or_inferred() -> None:
    validated = validate(infer(SourceGraph.parse(SHOP)))
    for graph in ("config", "inferred"):
        for quad in validated.store.quads_for_pattern(None, None, None, NamedNode(f"urn:agw:graph:{graph}")):
            assert "_:" not in f"{quad.subject} {quad.object}"


def test_warnings_do_not_refuse() -> None:
    report = validate(infer(SourceGraph.parse(configuration('ex:r a agw:Route ; agw:routePath "/x" .')))).report
    assert report.conforms
    assert {finding.severity for finding in report.findings} == {Severity.WARNING}


def test_check_says_the_same_without_raising() -> None:
    inferred = infer(SourceGraph.parse(configuration("ex:r a agw:Route .")))
    report = check(inferred)
    assert not report.conforms
    with pytest.raises(ConfigError) as refused:
        validate(inferred)
    assert refused.value.report == report


def test_a_generated_configuration_is_valid_and_places_are_not_looked_for() -> None:
    source = SourceGraph.parse(routes_turtle(60))
    assert validate(infer(source)).report.findings == ()
    assert "positions" not in vars(source)


def test_a_policy_inherited_from_a_class_is_located_in_the_class() -> None:
    text = configuration(
        'ex:P rdfs:subClassOf agw:Route ;\n agw:hasBackendService ex:nothing .\nex:r a ex:P ; agw:routePath "/x" .'
    )
    with pytest.raises(ConfigError) as refused:
        validate(infer(SourceGraph.parse(text, "shop.ttl")))
    assert all(str(finding.location).startswith("shop.ttl:8:") for finding in refused.value.report.violations)


def test_serving_imports_no_reference_engine() -> None:
    """rdflib, pyshacl and owlrl cost 0.3 s of start-up."""
    code = (
        "import sys; from api_gateway_service_mesh.graph import *; validate(infer(SourceGraph.parse(sys.argv[1]))); "
        "assert not {'rdflib', 'pyshacl', 'owlrl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, SHOP], check=True)
