"""What is said of a route's traffic, as the model has it."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import (
    ConditionSource,
    DirectResponse,
    Fault,
    Maintenance,
    Mirror,
    Redirect,
    RequestCondition,
    Rewrite,
)
from tests.support.configuration import EX, mesh_of

SERVICES = 'ex:s a agw:BackendService ; agw:address "s:80" . ex:t a agw:BackendService ; agw:address "t:80" .\n'
ON = 'agw:HeaderMatch ; agw:headerName "X-On" ; agw:headerValue "1"'


def test_all_of_it() -> None:
    (route,) = mesh_of(
        SERVICES
        + f"""
ex:g a agw:ApiGateway ; agw:hasMaintenance ex:works .
ex:works a agw:MaintenanceMode ; agw:maintenanceEnabled false ; agw:maintenanceMessage "later" ;
    agw:maintenanceRetryAfter "PT1M"^^xsd:dayTimeDuration ; agw:bypassedBy ex:on ;
    agw:bypassAddress "10.0.0.0/8" , "::1" .
ex:on a {ON} .
ex:r a agw:Route ; agw:routePath "/a/*" ; agw:hasBackendService ex:s ; agw:hasFaultInjection ex:f ;
    agw:hasRedirect ex:m ; agw:hasRewrite ex:w ; agw:hasTrafficMirroring ex:c .
ex:f a agw:FaultInjection ; agw:delayDuration "PT0.5S"^^xsd:dayTimeDuration ; agw:delayPercent 5 ;
    agw:abortStatus 503 ; agw:abortPercent 0.1 ; agw:triggeredBy ex:on .
ex:m a agw:Redirect ; agw:redirectScheme "https" ; agw:redirectHost "B.example" ; agw:redirectPort 8443 ;
    agw:redirectStatus 308 ; agw:replacePrefixMatch "/b" .
ex:w a agw:Rewrite ; agw:rewriteHost "C.example:81" ; agw:rewritePattern "^/a" ; agw:rewriteSubstitution "/c" .
ex:c a agw:TrafficMirroring ; agw:targetService ex:t ; agw:mirrorPercent 10 ; agw:mirrorBodyBytes 5 ;
    agw:mirrorConcurrency 6 ."""
    ).routes
    on = RequestCondition(EX + "on", ConditionSource.HEADER, "x-on", value="1")
    blocks = ("10.0.0.0/8", "::1/128")
    assert route.maintenance == Maintenance(EX + "works", EX + "r", False, "later", 60.0, (on,), blocks)
    assert route.faults == (Fault(EX + "f", 0.5, 5.0, 503, 0.1, (on,)),)
    assert route.redirect == Redirect(EX + "m", 308, "https", "b.example", 8443, None, "/b")
    assert route.rewrite == Rewrite(EX + "w", "c.example:81", None, None, "^/a", "/c")
    assert route.mirrors == (Mirror(EX + "c", EX + "t", 10.0, 5, 6),)


def test_a_route_comes_before_its_gateway_and_needs_no_backend_where_it_answers_itself() -> None:
    (route,) = mesh_of(
        """ex:g a agw:ApiGateway ; agw:hasMaintenance [ a agw:MaintenanceMode ] .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasMaintenance ex:own ; agw:hasDirectResponse ex:d .
ex:own a agw:MaintenanceMode .
ex:d a agw:DirectResponse ; agw:responseStatus 410 ; agw:responseBody "gone" ; agw:responseContentType "text/html" ;
    agw:responseField "A: b" , "C: d" ."""
    ).routes
    assert route.maintenance == Maintenance(EX + "own", EX + "r")
    assert route.direct == DirectResponse(EX + "d", 410, "gone", "text/html", ("A: b", "C: d"))


WRITTEN = 'ex:g a agw:ApiGateway ; agw:hasRoute ex:r . ex:r a agw:Route ; agw:routePath "/" ; agw:hasDirectResponse ex:d . ex:d a agw:DirectResponse ; '


def test_an_answer_from_a_template() -> None:
    (route,) = mesh_of(
        WRITTEN + """agw:responseTemplate '["${query.a}"]' ; agw:responseContentType "application/json" ."""
    ).routes
    assert route.direct == DirectResponse(EX + "d", 200, '["${query.a}"]', "application/json", is_template=True)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ('agw:responseTemplate "${query.a}" ; agw:responseContentType "text/html"', "break out"),
        ('agw:responseTemplate "${query.a}" ; agw:responseContentType "application/json"', "not JSON"),
        ('agw:responseTemplate "${body/a}"', "not to be had here"),
    ],
)
def test_a_template_that_cannot_be_used(said: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        mesh_of(WRITTEN + said + " .")
