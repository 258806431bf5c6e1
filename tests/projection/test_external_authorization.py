"""External authorization from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import AuthorizationFailureMode, ExternalAuthorization
from api_gateway_service_mesh.projection.external_authorization import ExternalAuthorizationRow
from tests.support.configuration import EX, assembled, mesh_of

assert ExternalAuthorizationRow
TEXT = """ex:s a agw:BackendService ; agw:address "s:80" . ex:opa a agw:BackendService ; agw:address "opa:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasExternalAuthorization ex:e .
ex:e a agw:ExternalAuthorization ; agw:authorizationService ex:opa """


def test_all_that_it_says() -> None:
    mesh = mesh_of(
        TEXT
        + """; agw:authorizationFailureMode "OPEN" ; agw:authorizationPathPrefix "/p" ; agw:sendsField "B", "A" ;
        agw:takesField "X-User" ; agw:authorizationTimeout "PT1S"^^xsd:dayTimeDuration ; agw:passesDenial true ;
        agw:verdictLifetime "PT5S"^^xsd:dayTimeDuration ."""
    )
    (route,) = mesh.routes
    assert route.external_authorization == ExternalAuthorization(
        EX + "e", EX + "opa", AuthorizationFailureMode.OPEN, "/p", 1.0, ("a", "b"), ("x-user",), True, 5.0
    )
    assert route.reached == (EX + "s", EX + "opa")
    (route,) = mesh_of(TEXT + '; agw:authorizationFailureMode "CLOSED" .').routes
    assert route.external_authorization == ExternalAuthorization(EX + "e", EX + "opa", AuthorizationFailureMode.CLOSED)


def test_bounds() -> None:
    text = TEXT + '; agw:authorizationFailureMode "OPEN" ; agw:{} "{}"^^xsd:dayTimeDuration .'
    for term, value in (("authorizationTimeout", "PT61S"), ("verdictLifetime", "PT2H")):
        found = assembled(text.format(term, value)).findings
        assert [finding.code for finding in found] == ["duration-too-long"]
