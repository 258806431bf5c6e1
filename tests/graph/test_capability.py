"""The table of targets, read from the ontology."""

from __future__ import annotations

from api_gateway_service_mesh.graph.capability import Level, capabilities
from api_gateway_service_mesh.vocabulary import AGW


def test_levels_and_notes_are_those_of_the_ontology() -> None:
    istio = capabilities()["istio"]
    assert istio.level(AGW.retryAttempts) is Level.FULL
    assert istio.level(AGW.hasHedging) is Level.NONE
    assert "no second attempt" in getattr(istio.note(AGW.hasHedging), "text", "")


def test_a_note_may_be_about_a_value_or_a_class() -> None:
    istio = capabilities()["istio"]
    assert istio.level(AGW.idleTimeout) is Level.FULL
    assert istio.level(AGW.idleTimeout, kind=AGW.Listener) is Level.NONE
    assert istio.note(AGW.meshType, "consul") is not None
    assert istio.note(AGW.meshType, "istio") is None


def test_what_runs_agw_itself_can_say_everything() -> None:
    assert capabilities()["kubernetes"].level("urn:anything") is Level.FULL
