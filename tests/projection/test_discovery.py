"""From triples to what a service looks up."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Discovery, Mesh, RecordType, Registry, RegistryType

HEAD = """@prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://x.example/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:g a agw:ApiGateway ; agw:hasRoute ex:r .
ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:hasServiceDiscovery ex:d .
ex:d a agw:ServiceDiscovery ; agw:hasServiceRegistry ex:c ; agw:discoveryName "users" .
"""
X = "http://x.example/"


def _mesh(text: str) -> Mesh:
    made = build(SourceGraph.parse(HEAD + text))
    assert made.report.findings == ()
    return made.mesh


def test_everything_stated_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "x")
    mesh = _mesh(
        """ex:c a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://127.0.0.1:8500" ;
            agw:registryTokenRef "env:TOKEN" ; agw:datacenter "eu1" .
        ex:d agw:discoveryTag "b" , "a" ; agw:instancePort 80 ; agw:minimumTtl "PT2S"^^xsd:dayTimeDuration ;
            agw:maximumTtl "PT3S"^^xsd:dayTimeDuration ; agw:emptyAfter "PT4S"^^xsd:dayTimeDuration ."""
    )
    registry = Registry(X + "c", RegistryType.CONSUL, "http://127.0.0.1:8500", "env:TOKEN", "eu1")
    wanted = Discovery(X + "d", registry, "users", RecordType.A, 80, ("a", "b"), 2.0, 3.0, 4.0)
    assert mesh.upstreams[0].discovery == wanted
    assert "env:TOKEN" not in str(mesh.upstreams[0].endpoints)


def test_how_often_eureka_is_asked() -> None:
    mesh = _mesh(
        """ex:c a agw:ServiceRegistry ; agw:registryType "eureka" ; agw:registryAddress "http://eureka:8761/eureka" ;
            agw:fetchInterval "PT2S"^^xsd:dayTimeDuration ."""
    )
    registry = Registry(X + "c", RegistryType.EUREKA, "http://eureka:8761/eureka", interval_seconds=2.0)
    assert mesh.upstreams[0].discovery == Discovery(X + "d", registry, "users")


def test_kubernetes_needs_no_address(tmp_path: Path) -> None:
    registry = Registry(X + "c", RegistryType.KUBERNETES)
    text = 'ex:c a agw:ServiceRegistry ; agw:registryType "kubernetes" .'
    assert _mesh(text).upstreams[0].discovery == Discovery(X + "d", registry, "users")
    (tmp_path / "ca.pem").write_text("-")
    file = tmp_path / "gateway.ttl"
    file.write_text(
        HEAD
        + """ex:c a agw:ServiceRegistry ; agw:registryType "kubernetes" ; agw:registryAddress "https://a:6443" ;
            agw:registryTrustFile "ca.pem" .
        ex:d agw:discoveryNamespace "shop" ; agw:instancePortName "web" ."""
    )
    registry = Registry(X + "c", RegistryType.KUBERNETES, "https://a:6443", trust_file=str(tmp_path / "ca.pem"))
    made = build(SourceGraph.load([file]))
    wanted = Discovery(X + "d", registry, "users", namespace="shop", port_name="web")
    assert made.mesh.upstreams[0].discovery == wanted


def test_name_servers_of_the_system_need_no_address() -> None:
    mesh = _mesh('ex:c a agw:ServiceRegistry ; agw:registryType "dns" . ex:d agw:recordType "SRV" .')
    assert mesh.upstreams[0].discovery == Discovery(
        X + "d", Registry(X + "c", RegistryType.DNS), "users", RecordType.SRV
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('ex:c a agw:ServiceRegistry ; agw:registryType "dns" .', "discovery-port"),
        ('ex:c a agw:ServiceRegistry ; agw:registryType "consul" .', "registry-address"),
        (
            'ex:c a agw:ServiceRegistry ; agw:registryType "kubernetes" . ex:d agw:preparedQuery true .',
            "prepared-query",
        ),
        ('ex:c a agw:ServiceRegistry ; agw:registryType "eureka" .', "registry-address"),
        (
            'ex:c a agw:ServiceRegistry ; agw:registryType "kubernetes" ; agw:registryTrustFile "missing.pem" .',
            "certificate-file",
        ),
    ],
)
def test_what_is_missing_is_said(text: str, code: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _mesh(text)
    assert [finding.code for finding in refused.value.report.findings] == [code]
