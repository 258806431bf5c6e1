from __future__ import annotations

from api_gateway_service_mesh.model import Limits, Listener, MtlsMode
from tests.support.configuration import EX, assembled, mesh_of, only_finding

GATEWAY = "ex:g a agw:ApiGateway ; agw:hasListener ex:l .\n"


def test_defaults() -> None:
    (listener,) = mesh_of(GATEWAY + "ex:l a agw:Listener ; agw:port 8443 .").listeners
    assert listener == Listener(EX + "l", 8443)


def test_limits() -> None:
    (listener,) = mesh_of(
        GATEWAY
        + """ex:l a agw:Listener ; agw:port 1 ; agw:bindAddress "::1" ; agw:maxRequestLineBytes 2 ;
        agw:maxHeaderBytes 3 ; agw:maxHeaderCount 4 ; agw:headerTimeout "PT5S"^^xsd:dayTimeDuration ;
        agw:idleTimeout "PT6S"^^xsd:dayTimeDuration ; agw:maxConnections 7 ."""
    ).listeners
    assert listener == Listener(EX + "l", 1, "::1", None, None, Limits(2, 3, 4, 5.0, 6.0, 7))


def test_mtls_gives_mode_and_certificate_and_the_listeners_own_certificate_comes_first() -> None:
    mtls = 'ex:m a agw:MutualTLS ; agw:mtlsMode "PERMISSIVE" ; agw:hasCertificate ex:c . ex:c a agw:Certificate . ex:d a agw:Certificate . '
    text = GATEWAY + mtls + "ex:l a agw:Listener ; agw:port 1 ; agw:hasMutualTLS ex:m "
    (shared,) = mesh_of(text + ".").listeners
    (own,) = mesh_of(text + "; agw:hasCertificate ex:d .").listeners
    assert shared.mtls_mode is MtlsMode.PERMISSIVE
    assert (shared.certificate and shared.certificate.iri, own.certificate and own.certificate.iri) == (
        EX + "c",
        EX + "d",
    )


def test_one_port_cannot_be_two_listeners() -> None:
    finding = only_finding(
        assembled("""ex:g a agw:ApiGateway ; agw:hasListener ex:k, ex:l .
        ex:k a agw:Listener ; agw:port 80 .
        ex:l a agw:Listener ; agw:port 80 .""")
    )
    assert finding.code == "port-stated-twice"
    assert finding.location and finding.location.line == 4
    assert [place.line for place in finding.related] == [3]


def test_a_name_is_no_bind_address() -> None:
    finding = only_finding(assembled(GATEWAY + 'ex:l a agw:Listener ; agw:port 1 ; agw:bindAddress "localhost" .'))
    assert (finding.code, finding.value) == ("invalid-value", "localhost")
