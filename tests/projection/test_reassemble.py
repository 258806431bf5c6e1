"""Of a changed configuration only what the change reaches is put together anew.

That the model is the same as when everything is, ``tests/control/test_incremental.py`` holds on random edits.
"""

from __future__ import annotations

from dataclasses import fields

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.projection.project import questions
from api_gateway_service_mesh.projection.reassemble import LOCAL, Links, spliced
from api_gateway_service_mesh.projection.rows import ProjectedRows, row_types
from tests.support.edits import BASE
from tests.support.turtle import routes_turtle


def changed(before: Build, old: str, new: str) -> Build:
    text = routes_turtle(12)
    assert old in text
    return build(SourceGraph.parse(text.replace(old, new)), previous=before)


def test_a_changed_policy_reaches_the_routes_that_name_it_and_no_other() -> None:
    before = build(SourceGraph.parse(routes_turtle(12)))
    after = changed(before, "agw:failureThreshold 4 ;", "agw:failureThreshold 7 ;")
    assert after.assembly is not None
    assert after.assembly.links is not None
    was = {route.iri: route for route in before.mesh.routes}
    moved = [route.name for route in after.mesh.routes if was[route.iri] is not route]
    assert moved == ["route3"]
    assert all(one is other for one, other in zip(before.mesh.upstreams, after.mesh.upstreams, strict=True))
    assert after.mesh == build(after.source).mesh


def test_a_changed_service_is_another_and_its_routes_are_what_they_were() -> None:
    before = build(SourceGraph.parse(routes_turtle(12)))
    after = changed(before, '"10.0.0.5:8080"', '"10.0.0.5:8081"')
    was = {upstream.iri: upstream for upstream in before.mesh.upstreams}
    assert [item.name for item in after.mesh.upstreams if was[item.iri] is not item] == ["backend5"]
    assert after.mesh == build(after.source).mesh


def test_every_reference_among_local_rows_is_known() -> None:
    rows = build(SourceGraph.parse(BASE)).rows
    keys = {getattr(row, fields(row)[0].name) for stem in LOCAL for row in getattr(rows, stem)}
    links = Links.of(rows)
    for stem in LOCAL:
        for row in getattr(rows, stem):
            key, *others = (getattr(row, field.name) for field in fields(row))
            assert all(key in links.named_by[other] for other in others if other in keys and other != key), row


def test_local_queries_are_queries() -> None:
    assert row_types().keys() >= LOCAL
    assert questions().keys() >= LOCAL
    assert Links.of(ProjectedRows()) == Links({})


def test_splicing() -> None:
    items = ("a1", "a2", "c1", "d1")

    def key(item: str) -> str:
        return item[0]

    assert spliced(items, key, ["c"], []) == ("a1", "a2", "d1")
    assert spliced(items, key, ["a", "b"], ["a3", "b1"]) == ("a3", "b1", "c1", "d1")
    assert spliced(items, key, [], ["e1"]) == (*items, "e1")
    assert spliced(items, key, [], []) == items
