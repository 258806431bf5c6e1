from __future__ import annotations

from tests.support.configuration import EX, assembled, mesh_of, only_finding

SERVICE = """ex:s a agw:BackendService ; agw:hasInstance ex:a , ex:b .
    ex:a a agw:ServiceInstance ; agw:address "a:1" ; agw:instanceLabel "version=v1" , "big" .
    ex:b a agw:ServiceInstance ; agw:address "b:1" ; agw:instanceLabel "version=v2" .
"""


def test_routes_and_splits_select_by_labels() -> None:
    mesh = mesh_of(
        SERVICE
        + """ex:r a agw:Route ; agw:routePath "/r" ; agw:hasBackendService ex:s ;
            agw:selectsLabel "version=v1" , "big" .
        ex:t a agw:Route ; agw:routePath "/t" ; agw:hasTrafficSplit ex:x , ex:y .
        ex:x a agw:TrafficSplit ; agw:weight 90 ; agw:targetService ex:s ; agw:selectsLabel "version=v1" .
        ex:y a agw:TrafficSplit ; agw:weight 10 ; agw:targetService ex:s ."""
    )
    one, two = mesh.routes
    assert one.subset == ("big", "version=v1")
    assert [(split.iri, split.subset) for split in two.splits] == [(EX + "x", ("version=v1",)), (EX + "y", ())]
    assert [endpoint.labels for endpoint in mesh.upstreams[0].endpoints] == [("big", "version=v1"), ("version=v2",)]


def test_a_class_of_routes_hands_its_labels_down() -> None:
    (route,) = mesh_of(
        SERVICE
        + """ex:Beta rdfs:subClassOf agw:Route ; agw:selectsLabel "version=v2" .
        ex:r a ex:Beta ; agw:routePath "/r" ; agw:hasBackendService ex:s ."""
    ).routes
    assert route.subset == ("version=v2",)


def test_selecting_nothing_is_told() -> None:
    finding = only_finding(
        assembled(
            SERVICE
            + """ex:r a agw:Route ; agw:routePath "/r" ; agw:hasBackendService ex:s ;
            agw:selectsLabel "version=v1" , "version=v2" ."""
        )
    )
    assert finding.code == "empty-subset"
    assert "version=v1 and version=v2" in finding.message
