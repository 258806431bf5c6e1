"""What is said while a large configuration is read."""

from __future__ import annotations

from api_gateway_service_mesh.control.gate import Gate
from api_gateway_service_mesh.control.progress import patient
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.turtle import routes_turtle


def test_each_stage_is_told_to_those_who_wait() -> None:
    said: list[str] = []
    Gate(None, ()).reloaded(lambda _: SourceGraph.parse(routes_turtle(4)), None, patient(said.append, 0.0))
    assert [line.rpartition(" (")[0] for line in said] == [
        "92 triples, and 0 that follow from them",
        "checked against the shapes",
        "4 routes and 4 services projected",
        "compiled",
    ]


def test_nothing_is_said_of_what_is_quick() -> None:
    said: list[str] = []
    Gate(None, ()).reloaded(lambda _: SourceGraph.parse(routes_turtle(4)), None, patient(said.append, 3600.0))
    assert said == []
