"""Syntax errors: the place of the cause, and the remedy. Whole reports stand in tests/golden/rejected/syntax-*."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.turtle import configuration

GOOD = configuration("""ex:users a agw:Route ;
    agw:routePath "/users" ; agw:httpMethod "GET" , 'PUT' ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds 5 ] .
ex:list ex:of ( 1 2.5 "x"@en ) .
""")


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        ("ex:a ex:p ex:b\nex:c ex:p ex:d .", "7:15", "'.' is missing"),
        ("ex:a ex:p ex:b\n  ex:q ex:d .", "7:15", "';' is missing"),
        ("ex:a ex:p ex:b ;\nex:c a ex:d .", "7:16", "a new subject follows"),
        ("ex:a ex:p ex:b ;\nex:c ex:p ex:d .", "7:16", "a new subject follows"),
        ('ex:a ex:p "b .\nex:c ex:p ex:d .', "7:11", "not closed"),
        ('ex:a ex:p """b .\nex:c ex:p ex:d .', "7:11", "not closed"),
        ("ex:a ex:p <http://a b> .", "7:11", "an IRI cannot have"),
        ("ex:a ex:p ex:b", "7:15", "ends inside a statement"),
        ("ex:a ex:p .", "7:11", "a value is missing"),
        ("ex:a ex:p foo .", "7:11", "cannot be"),
        ("ex:a ex:p [ ex:q 1 .", "7:11", "'[' that opens here"),
        ("ex:a exx:p 1 .", "7:6", "exx: is not declared"),
        ("ex:a sh:p 1 .", "7:6", "sh: is not declared"),
    ],
)
def test_cause(body: str, place: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SourceGraph.parse(configuration(body), "a.ttl")
    (finding,) = refused.value.report.findings
    assert said in finding.message
    assert str(finding.location) == f"a.ttl:{place}"
    assert finding.remedy


def test_every_undeclared_prefix_is_told_once() -> None:
    with pytest.raises(ConfigError) as refused:
        SourceGraph.parse("agw:a agw:b agw:c .\nowl:x rdf:y rdf:z .\n<urn:a> rdf:q 1 .")
    assert [finding.message for finding in refused.value.report.findings] == [
        "the prefix agw: is not declared",
        "the prefix owl: is not declared",
        "the prefix rdf: is not declared",
    ]
    assert "@prefix agw: <https://ggen.ai/ontology/api-gateway#> ." in (refused.value.report.findings[0].remedy or "")


def test_a_prefix_declared_under_a_like_name_is_suggested() -> None:
    with pytest.raises(ConfigError) as refused:
        SourceGraph.parse("@prefix shop: <urn:shop:> . shp:a shop:b 1 .")
    assert refused.value.report.findings[0].suggestion == "shop:"


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 3),
    st.sampled_from(["", ".", ";", '"', "[", "]", "(", "<", "@", "^^", "\n", "é", "{", "\\"]),
)
def test_any_damage_is_a_finding_in_the_file(at: int, cut: int, put: str) -> None:
    text = GOOD[:at] + put + GOOD[at + cut :]
    try:
        SourceGraph.parse(text, "a.ttl")
    except ConfigError as error:
        for finding in error.report.findings:
            assert finding.location is not None
            assert 1 <= finding.location.line <= text.count("\n") + 1
            assert 1 <= finding.location.column <= len(text.split("\n")[finding.location.line - 1]) + 1
