from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import ConnectionPool, Upstream, UpstreamTls
from tests.support.configuration import EX, assembled, mesh_of, only_finding

CERTIFICATE = "ex:c a agw:Certificate . "


def upstream(stated: str, *more: str) -> Upstream:
    text = f"{CERTIFICATE} ex:s a agw:BackendService {stated} . {' '.join(more)}"
    (found,) = assembled(text).mesh.upstreams
    return found


def mtls(mode: str, certificate: bool = False) -> str:
    return f'; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "{mode}" {"; agw:hasCertificate ex:c" if certificate else ""} ]'


def test_pools() -> None:
    found = upstream(
        "; agw:hasConnectionPool ex:p",
        """ex:p a agw:ConnectionPool ; agw:maxConnections 9 ;
        agw:maxIdleConnections 4 ; agw:idleTimeout "PT1M"^^xsd:dayTimeDuration ; agw:connectTimeout "PT0.5S"^^xsd:dayTimeDuration .""",
    )
    assert found.pool == ConnectionPool(EX + "p", 9, 4, 60.0, 0.5)
    assert upstream("").pool == ConnectionPool()


def test_an_https_address_is_verified_one_way() -> None:
    found = upstream('; agw:address "https://s:443" ; agw:serverName "s.example.com"')
    assert found.tls == UpstreamTls(None, "s.example.com")
    assert found.endpoints[0].tls


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE"])
def test_with_a_certificate_agw_itself_does_mtls_on_every_endpoint(mode: str) -> None:
    found = upstream('; agw:address "s:80"' + mtls(mode, certificate=True))
    assert found.tls and found.tls.certificate
    assert found.endpoints[0].tls
    assert not found.plaintext_forbidden


def test_disabled_mtls_is_none_even_with_a_certificate() -> None:
    found = upstream('; agw:address "s:80"' + mtls("DISABLE", certificate=True))
    assert found.tls is None and not found.endpoints[0].tls


@pytest.mark.parametrize("carrier", ["agw:hasServiceMesh ex:m", "agw:hasSidecar ex:m"])
def test_in_a_mesh_the_sidecar_carries_it(carrier: str) -> None:
    found = upstream('; agw:address "s:80" ; ' + carrier + mtls("STRICT"), "ex:m a agw:ServiceMesh , agw:Sidecar .")
    assert found.in_mesh and found.tls is None and not found.plaintext_forbidden


@pytest.mark.parametrize("address", ["s:80", "https://s:443"])
def test_strict_that_nothing_can_carry_is_never_watered_down(address: str) -> None:
    text = f'ex:s a agw:BackendService ; agw:address "{address}" {mtls("STRICT")} .'
    found = assembled(text)
    assert found.mesh.upstreams[0].plaintext_forbidden
    finding = only_finding(found)
    assert (finding.code, finding.severity) == ("mtls-without-certificate", Severity.WARNING)


def trusting(tmp_path: Path, mode: str, certificate: str) -> Upstream:
    for name in ("ca.pem", "c.pem"):
        (tmp_path / name).write_text("")
    (found,) = mesh_of(
        f"""ex:s a agw:BackendService ; agw:address "https://s:443" {mtls(mode, certificate=True)} .
        ex:c a agw:Certificate ; agw:trustBundleFile "ca.pem" {certificate} .""",
        base_dir=tmp_path,
    ).upstreams
    return found


def test_disabled_mtls_still_trusts_the_bundle_and_shows_nothing(tmp_path: Path) -> None:
    found = trusting(tmp_path, "DISABLE", '; agw:certificateFile "c.pem" ; agw:privateKeyRef "file:c.pem"')
    assert found.tls and found.tls.certificate
    assert found.tls.certificate.trust_bundle_file == str(tmp_path / "ca.pem")
    assert (found.tls.certificate.certificate_file, found.tls.certificate.private_key_ref) == (None, None)


def test_a_trust_bundle_alone_is_enough_for_permissive_and_not_for_strict(tmp_path: Path) -> None:
    assert trusting(tmp_path, "PERMISSIVE", "").tls
    strict = trusting(tmp_path, "STRICT", "")
    assert strict.tls is None and strict.plaintext_forbidden


def test_sorted_by_iri() -> None:
    text = " ".join(f'ex:{name} a agw:BackendService ; agw:address "{name}:80" .' for name in "cab")
    assert [found.name for found in mesh_of(text).upstreams] == ["a", "b", "c"]


def test_bounds_on_requests() -> None:
    found = upstream(
        "; agw:hasConnectionPool ex:p",
        "ex:p a agw:ConnectionPool ; agw:maxPendingRequests 5 ; "
        'agw:queueTimeout "PT0.5S"^^xsd:dayTimeDuration ; agw:maxRequestsPerConnection 6 ; agw:maxRequests 7 ; '
        "agw:maxConcurrentRetries 0 .",
    )
    assert found.pool == ConnectionPool(EX + "p", 1024, 256, 60.0, 5.0, 5, 0.5, 6, 7, 0)
