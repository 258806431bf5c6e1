"""Client certificate policies from Turtle to the model: inherited, read whole, and asked for by listeners."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import (
    CertificateDetail,
    CertificateForwarding,
    MtlsMode,
    PeerNames,
    TlsVersion,
    UnknownServerName,
)
from tests.support.certs import Authority, new_authority

HEAD = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/> .
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasRoute ex:a , ex:b .
ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:b a agw:Route ; agw:routePath "/b" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "127.0.0.1:1" .
ex:web a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:one .
ex:one a agw:Certificate ; agw:certificateFile "one.pem" ; agw:privateKeyRef "file:one-key.pem" .
"""
POLICY = "ex:callers a agw:ClientCertificatePolicy"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = new_authority(tmp_path_factory.mktemp("certs"))
    made.issue("one")
    made.issue("two", names=("two.example",))
    return made


def built(authority: Authority, more: str) -> Build:
    file: Path = authority.folder / "gateway.ttl"
    file.write_text(HEAD + more)
    return build(SourceGraph.load([file]))


def test_a_gateway_hands_it_down_and_listeners_ask(authority: Authority) -> None:
    made = built(
        authority,
        f"""{POLICY} ; agw:clientCertificateMode "PERMISSIVE" ; agw:forwardClientCertificate "APPEND_FORWARD" ;
    agw:clientCertificateDetail "CERT" , "URI" ; agw:peerSpiffeId "spiffe://a/*" ; agw:peerTrustDomain "b" ;
    agw:peerAltName "c" . ex:gateway agw:hasClientCertificatePolicy ex:callers .""",
    )
    for route in made.mesh.routes:
        policy = route.client_certificate
        assert policy is not None
        assert policy.mode is MtlsMode.PERMISSIVE
        assert policy.forwarding is CertificateForwarding.APPEND_FORWARD
        assert set(policy.details) == {CertificateDetail.CERT, CertificateDetail.URI}
        assert policy.peers == PeerNames(("spiffe://a/*",), ("b",), ("c",))
    (listener,) = made.mesh.listeners
    assert listener.asks_clients


def test_without_one_nobody_is_asked(authority: Authority) -> None:
    for more in (
        "",
        f'{POLICY} ; agw:clientCertificateMode "DISABLE" . ex:a agw:hasClientCertificatePolicy ex:callers .',
    ):
        (listener,) = built(authority, more).mesh.listeners
        assert not listener.asks_clients


def test_only_hosts_that_look_are_asked_when_all_of_them_have_names(authority: Authority) -> None:
    hosts = 'ex:a agw:hasClientCertificatePolicy ex:callers ; agw:hostname "a.example" , "*.b.example" .'
    (listener,) = built(authority, f"{POLICY} . {hosts}").mesh.listeners
    assert listener.asked_hosts == ("*.b.example", "a.example")
    both = f"{hosts} ex:b agw:hasClientCertificatePolicy ex:callers ."
    (listener,) = built(authority, f"{POLICY} . {both}").mesh.listeners
    assert listener.asks_clients
    assert listener.asked_hosts == ()
    rule = """ex:b agw:hasAuthorization [ a agw:AuthorizationPolicy ; agw:hasRule [
        a agw:AuthorizationRule ; agw:callerSpiffeId "spiffe://a/*" ] ] ; agw:hostname "rule.example" ."""
    (listener,) = built(authority, rule).mesh.listeners
    assert listener.asked_hosts == ("rule.example",)


def test_what_becomes_of_unknown_names(authority: Authority) -> None:
    (listener,) = built(authority, "").mesh.listeners
    assert listener.unknown_name is UnknownServerName.DEFAULT
    (listener,) = built(authority, 'ex:web agw:unknownServerName "REFUSE" .').mesh.listeners
    assert listener.unknown_name is UnknownServerName.REFUSE


def test_a_demand_that_no_listener_can_verify_warns(authority: Authority) -> None:
    made = built(authority, f"{POLICY} . ex:a agw:hasClientCertificatePolicy ex:callers .")
    warned = [each for each in made.report.findings if each.code == "no-client-certificates"]
    assert [each.severity for each in warned] == [Severity.WARNING]
    calm = built(
        authority,
        f'{POLICY} . ex:a agw:hasClientCertificatePolicy ex:callers . ex:one agw:trustBundleFile "{authority.bundle.name}" .',
    )
    assert not [each for each in calm.report.findings if each.code == "no-client-certificates"]


def test_a_listener_shows_several_certificates(authority: Authority) -> None:
    more = """ex:web agw:hasCertificate ex:two ; agw:minimumTlsVersion "1.3" .
    ex:two a agw:Certificate ; agw:certificateFile "two.pem" ; agw:privateKeyRef "file:two-key.pem" ."""
    (listener,) = built(authority, more).mesh.listeners
    assert [each.iri for each in listener.certificates] == ["http://example.org/one", "http://example.org/two"]
    assert listener.minimum_tls is TlsVersion.TLS_1_3
    (listener,) = built(authority, f"{more} ex:web agw:defaultCertificate ex:two .").mesh.listeners
    assert [each.iri for each in listener.certificates] == ["http://example.org/two", "http://example.org/one"]
