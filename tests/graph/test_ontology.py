"""What the ontology is asked for: kinds of terms, definitions, closed axioms."""

from __future__ import annotations

from pyoxigraph import NamedNode

from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.ontology import TermKind, agw_ontology
from api_gateway_service_mesh.graph.tbox import Tbox
from api_gateway_service_mesh.graph.terms import AGW
from tests.support.turtle import configuration


def test_terms_have_kinds_and_definitions() -> None:
    ontology = agw_ontology()
    assert ontology.terms[AGW + "Route"] is TermKind.CLASS
    assert ontology.terms[AGW + "routePath"] is TermKind.PROPERTY
    assert "\n" not in (ontology.definition(AGW + "routePath") or "\n")
    assert ontology.definition(AGW + "nothing") is None
    assert AGW + "privateKeyRef" in ontology.sub_properties(AGW + "secretRef")


def test_axioms_are_closed_with_the_way_that_leads_there() -> None:
    source = SourceGraph.parse(
        configuration("ex:a rdfs:subClassOf ex:b . ex:b owl:equivalentClass ex:c . ex:c rdfs:subClassOf ex:a .")
    )
    tbox = Tbox(source.rows)
    above = tbox.above(NamedNode("https://example.com/a"))
    assert {term.value[-1]: len(path) for term, path in above.items()} == {"b": 1, "c": 2}
    assert tbox.with_rows([]) is tbox
