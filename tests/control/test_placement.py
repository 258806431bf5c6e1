"""Only what changed is placed and shipped; what is placed in parts is what is placed as a whole."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import UTC, datetime

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.dataplane import DataPlane
from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.memory import Collections, resident_bytes
from api_gateway_service_mesh.control.placement import Placement, Placer
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from tests.support.turtle import routes_turtle

WORKERS = 2


def live(mesh: Mesh, placed: Placement, plane: DataPlane) -> Live:
    return Live(mesh, placed.slots, plane.cells, WORKERS, 1, datetime.now(UTC))


def test_changed_routes_and_services_are_placed_as_if_all_were() -> None:
    plane = DataPlane(WORKERS, lambda text: None)
    placer = Placer(plane)
    mesh = build(SourceGraph.parse(routes_turtle(30))).mesh
    whole = placer.place(mesh, None)
    assert whole.whole
    assert whole.difference is None
    now = live(mesh, whole, plane)
    service = mesh.upstreams[3]
    (endpoint,) = service.endpoints
    other = replace(service, endpoints=(replace(endpoint, iri="urn:moved"),))
    services = tuple(other if upstream is service else upstream for upstream in mesh.upstreams)
    changed = replace(mesh, routes=(replace(mesh.routes[0], iri="urn:new"), *mesh.routes[1:]), upstreams=services)
    placed = placer.place(changed, now)
    assert placed.difference is not None
    assert not placed.whole
    assert [route.iri for route in placed.difference.routes] == ["urn:new"]
    assert placed.difference.routes_gone == (mesh.routes[0].iri,)
    wanted = layout_for(changed, CellLayout(CellStore.local(1 << 16)), WORKERS)
    assert placed.slots.keys() >= wanted.keys()
    assert placed.fresh is not None
    assert {("route", "urn:new"), ("endpoint", "urn:moved")} <= placed.fresh.keys() <= wanted.keys()
    assert all(placed.slots[key] == base for key, base in whole.slots.items() if key in wanted)
    assert len(set(placed.slots.values())) == len(placed.slots)


def test_what_nothing_needs_is_given_back_in_the_end() -> None:
    plane = DataPlane(WORKERS, lambda text: None)
    placer = Placer(plane)
    mesh = build(SourceGraph.parse(routes_turtle(12))).mesh
    placed = placer.place(mesh, None)
    kept = len(placed.slots)
    for number in range(200):
        changed = replace(mesh, routes=(replace(mesh.routes[0], iri=f"urn:r{number}"), *mesh.routes[1:]))
        placed = placer.place(changed, live(mesh, placed, plane))
        placer.release(placed)
        mesh = changed
    assert len(placed.slots) < kept + 100
    assert len(plane.layout.slots) < kept + 100


def test_memory_is_told_in_bytes() -> None:
    assert 1 << 20 < resident_bytes() < 1 << 40


def test_cycles_are_looked_for_when_memory_has_grown() -> None:
    before = gc.get_stats()[2]["collections"]
    collections = Collections(1 << 40)
    for _ in range(3):
        collections.settle()
    assert gc.get_stats()[2]["collections"] == before
    always = Collections(-(1 << 40))
    for _ in range(3):
        always.settle()
    assert gc.get_stats()[2]["collections"] == before + 2
    gc.unfreeze()
