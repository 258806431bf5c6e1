"""The reference tells of every term what the ontology and the shapes say."""

from __future__ import annotations

from api_gateway_service_mesh.graph.ontology import TermKind, agw_ontology
from api_gateway_service_mesh.graph.reference import agw_reference
from api_gateway_service_mesh.graph.terms import AGW

ENTRIES = {entry.name: entry for part in agw_reference() for entry in part.entries}


def test_every_term_is_there_once_with_its_meaning() -> None:
    assert {entry.iri for entry in ENTRIES.values()} == set(agw_ontology().terms)
    assert sum(len(part.entries) for part in agw_reference()) == len(ENTRIES)
    for entry in ENTRIES.values():
        assert entry.label, entry.iri
        assert entry.comment, entry.iri
        assert entry.role in ("configuration", "runtime", "documentation"), entry.iri


def test_a_property_says_where_it_stands_and_what_is_refused() -> None:
    entry = ENTRIES["limitAlgorithm"]
    assert entry.kind is TermKind.PROPERTY
    assert entry.domains == (AGW + "RateLimiter",)
    assert entry.values == ('"TOKEN_BUCKET"', '"SLIDING_WINDOW"', '"FIXED_WINDOW"')
    assert entry.example == 'ex:limit agw:limitAlgorithm "SLIDING_WINDOW" .'
    assert any("must be one of" in rule for rule in entry.rules)


def test_a_class_lists_its_properties_and_kinds() -> None:
    entry = ENTRIES["RateLimiter"]
    assert entry.kind is TermKind.CLASS
    assert AGW + "burstSize" in entry.properties
    assert AGW + "ThrottlingPolicy" in entry.below
    assert ENTRIES["ThrottlingPolicy"].above == (AGW + "RateLimiter",)
    assert ENTRIES["hasRateLimiter"].inherited_by == (AGW + "Route",)
