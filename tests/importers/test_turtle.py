"""Turtle for people, which hostile names do not break out of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Subject, anonymous, is_iri, write
from api_gateway_service_mesh.vocabulary import AGW

BASE = "https://example.org/imported#"


def test_a_document() -> None:
    route = Subject("Route", BASE + "a", "rule 1", Location("f.yaml", 3, 5)).say(AGW.routePath, "/a")
    route.say(AGW.hasTimeout, anonymous("Timeout", (AGW.timeoutDuration, Seconds(1.5)))).say(AGW.priority, None)
    route.say(AGW.hasBackendService, Ref("https://example.org/other#x"))
    assert write(BASE, ["From f.yaml."], [route]) == (
        "# From f.yaml.\n"
        "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n"
        "@prefix ex: <https://example.org/imported#> .\n"
        "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        "\n"
        "# rule 1 · f.yaml:3:5\n"
        "ex:a a agw:Route ;\n"
        '    agw:routePath "/a" ;\n'
        '    agw:hasTimeout [ a agw:Timeout ; agw:timeoutDuration "PT1.5S"^^xsd:dayTimeDuration ] ;\n'
        "    agw:hasBackendService <https://example.org/other#x> .\n"
    )


@given(st.text(), st.text())
def test_nothing_breaks_out(comment: str, value: str) -> None:
    body = value.encode("utf-8", "replace").decode()
    subject = Subject("DirectResponse", BASE + "a", comment, Location(comment, 1)).say(AGW.responseBody, body)
    graph = SourceGraph.parse(write(BASE, [comment], [subject]), "made.ttl")
    assert {str(triple.predicate) for triple in graph.triples} <= {
        "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", f"<{AGW.responseBody}>"
    }  # fmt: skip


def test_iris() -> None:
    assert is_iri("urn:agw:x") and is_iri("https://example.org/#a")
    assert not any(map(is_iri, ("a", "/a", "http://a b", "http://a>", "x:", "http://a\n")))
