"""Security headers from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import SecurityHeaders
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasSecurityHeaders ex:c .
ex:c a agw:SecurityHeaders """


def test_all_that_it_says() -> None:
    (route,) = mesh_of(TEXT + ".").routes
    assert route.security_headers == SecurityHeaders(EX + "c")
    (route,) = mesh_of(
        TEXT
        + """; agw:transportSecurityAge "P1D"^^xsd:dayTimeDuration ; agw:includesSubdomains true ;
        agw:contentSecurityPolicy "default-src *" ; agw:referrerPolicy "origin" ; agw:frameOptions "SAMEORIGIN" ;
        agw:setsField "B: c" , "A: b" ; agw:removesField "Server" ."""
    ).routes
    assert route.security_headers == SecurityHeaders(
        EX + "c", 86400, True, "default-src *", "origin", "SAMEORIGIN", ("A: b", "B: c"), ("server",)
    )
