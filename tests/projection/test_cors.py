"""CORS policies from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import Cors
from tests.support.configuration import EX, assembled, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasCors ex:c .
ex:c a agw:CorsPolicy ; agw:allowedOrigin "https://B.example" , "https://*.a.example" """


def test_all_that_it_says() -> None:
    mesh = mesh_of(
        TEXT
        + """; agw:allowedMethod "PUT" , "GET" ; agw:allowedHeader "X-B" , "x-a" ; agw:exposedHeader "ETag" ;
        agw:allowCredentials true ; agw:preflightMaxAge "PT1M"^^xsd:dayTimeDuration ."""
    )
    (route,) = mesh.routes
    origins = ("https://*.a.example", "https://b.example")
    assert route.cors == Cors(EX + "c", origins, ("GET", "PUT"), ("x-a", "x-b"), ("etag",), True, 60)
    (route,) = mesh_of(TEXT + ".").routes
    assert route.cors == Cors(EX + "c", origins)


def test_it_is_remembered_for_a_day_at_most() -> None:
    found = assembled(TEXT + '; agw:preflightMaxAge "PT25H"^^xsd:dayTimeDuration .').findings
    assert [finding.code for finding in found] == ["duration-too-long"]
