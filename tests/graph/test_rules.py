"""The rules as they are run: templates filled in by the ontology, in an order that is the order of precedence."""

from __future__ import annotations

from pyoxigraph import NamedNode

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.ontology import agw_ontology
from api_gateway_service_mesh.graph.rules import Rule, Sources, inherited, shipped_rules
from api_gateway_service_mesh.graph.terms import AGW
from tests.support.turtle import configuration


def _sources(body: str) -> Sources:
    graph = infer(SourceGraph.parse(configuration(body)))
    return Sources.of(graph.index, graph.tbox)


def test_every_inherited_policy_has_its_rules() -> None:
    policies = inherited(agw_ontology())
    for policy, kinds in policies.items():
        name = policy.value.removeprefix(AGW)
        stems = {rule.name.partition(":")[0] for rule in shipped_rules() if rule.policy == policy}
        assert "inherit-1-class" in stems, name
        assert ("inherit-7-gateway" in stems) == (NamedNode(AGW + "Route") in kinds), name
    assert all("?policy" not in rule.query and "inheritedBy" not in rule.query for rule in shipped_rules())


def test_rules_run_in_the_order_of_precedence() -> None:
    stems = list(dict.fromkeys(rule.name.partition(":")[0] for rule in shipped_rules()))
    assert stems == sorted(stems)


def test_of_every_rule_it_can_be_told_how_far_a_change_reaches() -> None:
    assert [rule.name for rule in shipped_rules() if rule.footprint is None] == []


def handing_down() -> list[Rule]:
    """The rules that hand something down; others have nothing to be spared by."""
    return [rule for rule in shipped_rules() if rule.name.startswith("inherit")]


def test_rules_run_only_where_there_is_something_to_hand_down() -> None:
    quiet = _sources("ex:r a agw:Route ; agw:hasTimeout ex:t . ex:g a agw:ApiGateway ; agw:hasRoute ex:r .")
    assert [rule.name for rule in handing_down() if rule.can_fire(quiet)] == []
    loud = _sources("ex:r a agw:Route . ex:g a agw:ApiGateway ; agw:hasTimeout ex:t .")
    assert [rule.name for rule in handing_down() if rule.can_fire(loud)] == ["inherit-7-gateway:hasTimeout"]
    declined = _sources("ex:C rdfs:subClassOf agw:Route ; agw:withoutPolicy agw:hasTimeout .")
    assert {rule.name for rule in handing_down() if rule.can_fire(declined)} == {
        "inherit-1-class:hasTimeout",
        "inherit-2-class-without:hasTimeout",
    }
