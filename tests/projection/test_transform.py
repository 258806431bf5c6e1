"""Transformations from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ;
    agw:hasRequestTransformation ex:in ; agw:hasResponseTransformation ex:out . """


def test_all_that_they_say() -> None:
    (route,) = mesh_of(
        TEXT
        + """ex:in a agw:RequestTransformation ; agw:setsHeader "B: c" , "A:b:c" ; agw:addsHeader "D: e" ; agw:removesHeader "X-Y" ;
        agw:copiesHeader "From: To" ; agw:setsParameter "a=b=c" ; agw:addsParameter "d=" ; agw:removesParameter "e" .
        ex:out a agw:ResponseTransformation ; agw:setsHeader "A: b" ; agw:addsHeader "C: d" ; agw:removesHeader "Server" ."""
    ).routes
    assert route.request_transformation == RequestTransformation(
        EX + "in",
        (("A", "b:c"), ("B", "c")),
        (("D", "e"),),
        ("x-y",),
        (("from", "To"),),
        (("a", "b=c"),),
        (("d", ""),),
        ("e",),
    )
    assert route.response_transformation == ResponseTransformation(
        EX + "out", (("A", "b"),), (("C", "d"),), ("server",)
    )


def test_one_that_says_nothing() -> None:
    (route,) = mesh_of(TEXT + "ex:in a agw:RequestTransformation . ex:out a agw:ResponseTransformation .").routes
    assert route.request_transformation == RequestTransformation(EX + "in")
    assert route.response_transformation == ResponseTransformation(EX + "out")
