"""Authorities and what they issue, from Turtle to the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import IssuerKind, Mesh
from api_gateway_service_mesh.routing import compile_table

HEAD = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> .
@prefix ex: <http://example.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:gateway a agw:ApiGateway ; agw:hasListener ex:web ; agw:hasRoute ex:all .
ex:all a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "127.0.0.1:1" .
ex:web a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:site .
ex:site a agw:Certificate ; agw:issuedBy ex:ca .
ex:ca a agw:CertificateAuthority .
"""
ACME = 'ex:ca agw:issuerKind "ACME" ; agw:directoryUrl "https://acme.example.com/dir" . '


CONSUL = """ex:ca agw:issuerKind "CONSUL" ; agw:issuingRegistry ex:consul .
ex:consul a agw:ServiceRegistry ; agw:registryAddress "http://127.0.0.1:8500" . """


def mesh_of(folder: Path, more: str) -> Mesh:
    file = folder / "gateway.ttl"
    file.write_text(HEAD + more)
    return build(SourceGraph.load([file])).mesh


def test_what_is_issued_is_kept_in_the_authoritys_folder(tmp_path: Path) -> None:
    more = 'ex:site agw:certificateName "b" , "a" ; agw:certificateLifetime "P1D"^^xsd:dayTimeDuration .'
    (listener,) = mesh_of(tmp_path, more).listeners
    certificate = listener.certificate
    assert certificate is not None
    assert certificate.authority is not None
    assert certificate.authority.kind is IssuerKind.BUILT_IN
    assert certificate.names == ("a", "b")
    assert certificate.lifetime_seconds == 86_400
    file = Path(certificate.certificate_file or "")
    assert file.parent == tmp_path / "certs" == Path(certificate.trust_bundle_file or "").parent
    assert file.name.startswith("site-")
    assert not file.parent.exists(), "checking a configuration writes nothing"


def test_acme_has_a_route_that_no_other_hides(tmp_path: Path) -> None:
    made = mesh_of(tmp_path, f'{ACME} ex:site agw:certificateName "a.example" .')
    found = compile_table(made).find("any.example", "GET", "/.well-known/acme-challenge/token", "", {})
    assert found is not None
    assert found.route.challenge is not None
    assert found.route.challenge.folders == (str(tmp_path / "certs"),)
    assert made.listeners[0].certificate.trust_bundle_file is None  # type: ignore[union-attr]


def test_a_spiffe_agent_chooses_the_names(tmp_path: Path) -> None:
    more = 'ex:ca agw:issuerKind "SPIFFE" ; agw:workloadApiSocket "run/agent.sock" .'
    certificate = mesh_of(tmp_path, more).listeners[0].certificate
    assert certificate is not None
    assert certificate.authority is not None
    assert certificate.authority.workload_api == str(tmp_path / "run" / "agent.sock")
    assert (certificate.trust_bundle_file or "").endswith("-bundle.pem")


def test_consul_issues_for_a_service(tmp_path: Path) -> None:
    more = f'{CONSUL} ex:site agw:certificateName "edge" . ex:consul agw:registryType "consul" .'
    certificate = mesh_of(tmp_path, more).listeners[0].certificate
    assert certificate is not None
    assert certificate.authority is not None
    assert certificate.authority.registry is not None
    assert certificate.authority.registry.address == "http://127.0.0.1:8500"
    assert (certificate.trust_bundle_file or "").endswith("-bundle.pem")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "no name is stated"),
        (f'{ACME} ex:site agw:certificateName "*.a.example" .', "by HTTP-01"),
        ('ex:site agw:certificateName "a" . ex:ca agw:issuerFolder "../elsewhere" .', "leads out of"),
        ('ex:ca agw:issuerKind "SPIFFE" ; agw:workloadApiSocket "/run/other.sock" .', "leads out of"),
        (f'{CONSUL} ex:site agw:certificateName "edge" . ex:consul agw:registryType "kubernetes" .', "is no Consul"),
        (f'{CONSUL} ex:site agw:certificateName "a" , "b" . ex:consul agw:registryType "consul" .', "for one service"),
        (f'{CONSUL} ex:consul agw:registryType "consul" .', "no name is stated"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        mesh_of(tmp_path, more)
    assert said in "\n".join(finding.message for finding in refused.value.report.violations)
