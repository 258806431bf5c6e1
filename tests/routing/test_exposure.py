"""Routes that let strangers through behind a host name for which authentication is demanded."""

from __future__ import annotations

from datetime import date

import pytest

from api_gateway_service_mesh.control.build import inspect
from api_gateway_service_mesh.errors import Finding, Severity
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.turtle import configuration

TODAY = date(2026, 6, 1)
SHOP = """
ex:users a agw:BackendService ; agw:address "users:8080" .
ex:jwt a agw:JWTAuthentication ; agw:issuer "https://id.example.com/" ; agw:audience "shop" ;
    agw:jwksUri "https://id.example.com/keys" .
ex:shop a agw:VirtualService ; agw:hostname "%s" ; agw:hasAuthentication ex:jwt .
ex:orders a agw:Route ; agw:routePath "/orders" ; agw:hostname "shop.example.com" ; agw:hasBackendService ex:users .
"""
HEALTH = 'ex:health a agw:Route ; agw:routePath "/health" ; agw:hasBackendService ex:users '
LEAVE = """ex:leave a agw:Exemption ; agw:exempts %s ; agw:exemptsFrom agw:hasAuthentication ;
    agw:exemptionReason "probes" ; agw:exemptionOwner "platform" ; agw:validUntil "%s"^^xsd:date ."""


def found(text: str, host: str = "shop.example.com") -> list[Finding]:
    source = SourceGraph.parse(configuration(SHOP % host + text))
    report = inspect(source, today=TODAY).report
    return [finding for finding in report.findings if finding.code == "guarantee-bypassed"]


@pytest.mark.parametrize(
    ("text", "host", "witness"),
    [
        (f"{HEALTH} .", "shop.example.com", "GET http://shop.example.com/health"),
        (f'{HEALTH} ; agw:httpMethod "POST" .', "shop.example.com", "POST http://shop.example.com/health"),
        (f'{HEALTH} ; agw:hostname "*.example.com" .', "shop.example.com", "GET http://shop.example.com/health"),
        (f"{HEALTH} .", "*.example.com", "GET http://www.example.com/health"),
        (f"{HEALTH} . {LEAVE % ('ex:health', '2026-05-31')}", "shop.example.com", "GET http://shop.example.com/health"),
    ],
    ids=["no host", "method", "wider wildcard", "guarded wildcard", "exemption that ended"],
)
def test_a_hole_is_a_violation_with_a_witness(text: str, host: str, witness: str) -> None:
    (finding,) = found(text, host)
    assert finding.severity is Severity.VIOLATION
    assert finding.subject == "https://example.com/health"
    assert dict(finding.details)["witness"] == witness
    assert dict(finding.details)["demanded by"] == "https://example.com/shop"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEALTH} ; agw:hasAuthentication ex:jwt .",
        f'{HEALTH} ; agw:hostname "shop.example.com" .',
        f'{HEALTH} ; agw:hostname "other.example.com" .',
        f'{HEALTH} ; agw:hostname "*.shop.example.com" .',
        f"{HEALTH} . ex:g a agw:ApiGateway ; agw:hasRoute ex:health , ex:orders ; agw:hasAuthentication ex:jwt .",
        f"{HEALTH} . {LEAVE % ('ex:health', '2027-01-01')}",
        f"{HEALTH} ; a ex:Probe . ex:Probe rdfs:subClassOf agw:Route . {LEAVE % ('ex:Probe', '2027-01-01')}",
        'ex:moved a agw:Route ; agw:routePath "/*" ; agw:hasRedirect [ a agw:Redirect ; agw:redirectScheme "https" ] .',
        'ex:again a agw:Route ; agw:routePath "/orders" ; agw:hasBackendService ex:users .',
        "",
    ],
    ids=[
        "asks itself",
        "belongs to the host",
        "another host",
        "hosts below",
        "gateway asks",
        "exempted",
        "class exempted",
        "redirect",
        "never reached there",
        "no other route",
    ],
)
def test_what_lets_nobody_through_is_no_hole(text: str) -> None:
    assert found(text) == []


def test_nothing_is_asked_of_a_configuration_without_guarded_hosts() -> None:
    source = SourceGraph.parse(
        configuration('ex:users a agw:BackendService ; agw:address "users:8080" .' + HEALTH + ".")
    )
    assert inspect(source, today=TODAY).report.conforms


def test_what_callers_may_do_is_guarded_alike() -> None:
    stated = "ex:policy a agw:AuthorizationPolicy . ex:shop agw:hasAuthorization ex:policy . "
    demanded = f"{HEALTH} ; agw:hasAuthentication ex:jwt . {stated}"
    (finding,) = found(demanded)
    assert "authorization is demanded" in finding.message and "agw:hasAuthorization" in (finding.remedy or "")
    assert found(demanded + "ex:health agw:hasAuthorization ex:policy .") == []
    closed = 'ex:g a agw:ApiGateway ; agw:defaultDecision "DENY" ; agw:hasRoute ex:health , ex:orders .'
    assert found(demanded + closed) == []
    leave = LEAVE.replace("agw:exemptsFrom agw:hasAuthentication", "agw:exemptsFrom agw:hasAuthorization")
    assert found(demanded + leave % ("ex:health", "2027-01-01")) == []
