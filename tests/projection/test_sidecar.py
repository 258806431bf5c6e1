from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.model import MtlsMode, PeerNames, Sidecar, Upstream
from tests.support.configuration import EX, assembled, only_finding

ISSUED = """ex:ca a agw:CertificateAuthority .
ex:own a agw:Certificate ; agw:issuedBy ex:ca ; agw:certificateName "s.internal" , "spiffe://a.example/s" .
ex:gate a agw:Certificate ; agw:issuedBy ex:ca ; agw:certificateName "spiffe://a.example/gate" .
"""
CARRIED = "ex:side a agw:Sidecar ; agw:applicationPort 8080 ; agw:hasCertificate ex:own"


def text(service: str = "", sidecar: str = CARRIED, *more: str) -> str:
    return (
        f'{ISSUED} ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasSidecar ex:side {service} . '
        f"{sidecar} . {' '.join(more)}"
    )


def upstream(*stated: str, folder: Path) -> Upstream:
    (found,) = assembled(text(*stated), base_dir=folder).accepted().upstreams
    return found


def mtls(mode: str, certificate: str = "ex:gate") -> str:
    return f'; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "{mode}" ; agw:hasCertificate {certificate} ]'


def test_what_is_not_stated_is_safe(tmp_path: Path) -> None:
    found = upstream(folder=tmp_path)
    assert isinstance(found.sidecar, Sidecar) and found.sidecar.certificate
    assert (found.sidecar.application_port, found.sidecar.port, found.sidecar.bind_address) == (8080, 15001, "0.0.0.0")
    assert found.sidecar.mode is MtlsMode.STRICT and found.sidecar.spiffe_id == "spiffe://a.example/s"
    assert found.plaintext_forbidden and not found.in_mesh  # agw has nothing to show it


def test_agw_shows_its_certificate_and_looks_for_the_sidecars_identity(tmp_path: Path) -> None:
    found = upstream(mtls("STRICT"), folder=tmp_path)
    assert found.tls and found.tls.certificate and found.tls.certificate.iri == EX + "gate"
    assert found.tls.peers == PeerNames(("spiffe://a.example/s",)) and not found.tls.verifies_name
    stated = upstream(mtls("STRICT").replace(" ]", ' ; agw:peerTrustDomain "a.example" ]'), folder=tmp_path)
    assert stated.tls and stated.tls.peers == PeerNames(trust_domains=("a.example",))


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE", "DISABLE"])
def test_the_services_own_mode_comes_before_the_meshs(mode: str, tmp_path: Path) -> None:
    around = 'ex:m a agw:ServiceMesh ; agw:meshType "istio" ; agw:sidecarPort 4140 ' + mtls(mode) + " ."
    found = upstream("", CARRIED, around, folder=tmp_path)
    assert found.sidecar and (found.sidecar.mode, found.sidecar.port) == (MtlsMode(mode), 4140)
    assert (found.tls is None) == (mode == "DISABLE")
    own = upstream(mtls("STRICT"), CARRIED + " ; agw:sidecarPort 1", around, folder=tmp_path)
    assert own.sidecar and (own.sidecar.mode, own.sidecar.port) == (MtlsMode.STRICT, 1)


def test_one_that_a_mesh_runs_is_none_of_agws(tmp_path: Path) -> None:
    found = upstream("", "ex:side a agw:Sidecar", folder=tmp_path)
    assert found.sidecar is None and found.in_mesh


@pytest.mark.parametrize(
    ("sidecar", "code"),
    [
        ("ex:side a agw:Sidecar ; agw:applicationPort 8080", "sidecar-without-certificate"),
        (CARRIED.replace("ex:own", "ex:bare") + " . ex:bare a agw:Certificate", "sidecar-without-certificate"),
        (CARRIED.replace("ex:own", "[ a agw:Certificate ; agw:issuedBy ex:ca ; agw:certificateName 's' ]"),
         "sidecar-without-identity"),
        (CARRIED + " ; agw:sidecarPort 8080", "sidecar-port-taken"),
        (CARRIED.replace("8080", "80"), "sidecar-port-taken"),
        (CARRIED + " ; agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy ; agw:hasRule ex:r . "
         "ex:r a agw:AuthorizationRule ; agw:callerScope 'a'", "unproved-by-sidecar"),
        (CARRIED + " ; agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy ; agw:hasRule ex:r . "
         "ex:r a agw:AuthorizationRule ; agw:callerPrincipal 'key:acme'", "unproved-by-sidecar"),
    ],
)  # fmt: skip
def test_what_could_not_hold_is_refused(sidecar: str, code: str, tmp_path: Path) -> None:
    finding = only_finding(assembled(text(mtls("STRICT"), sidecar), base_dir=tmp_path))
    assert (finding.code, finding.severity) == (code, Severity.VIOLATION)
    assert finding.remedy


@pytest.mark.parametrize(
    ("more", "term"),
    [
        ("agw:callsService ex:s", "callsService"),
        ('agw:spiffeId "spiffe://a.example/s"', "spiffeId"),
        ("agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy ; agw:hasRule [ a agw:AuthorizationRule ; "
         'agw:callerSpiffeId "spiffe://a.example/x" ]', "hasAuthorization"),
    ],
)  # fmt: skip
def test_what_a_mesh_s_own_sidecar_does_not_hear_is_told(more: str, term: str, tmp_path: Path) -> None:
    finding = only_finding(assembled(text("", f"ex:side a agw:Sidecar ; {more}"), base_dir=tmp_path))
    assert (finding.code, finding.severity) == ("sidecar-of-a-mesh", Severity.WARNING)
    assert str(finding.predicate).endswith(term)
    assert finding.remedy and finding.location is not None


def test_without_mutual_tls_it_needs_no_certificate(tmp_path: Path) -> None:
    bare = "ex:side a agw:Sidecar ; agw:applicationPort 8080"
    found = upstream('; agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "DISABLE" ]', bare, folder=tmp_path)
    assert found.sidecar and found.sidecar.mode is MtlsMode.DISABLE


def test_what_it_lets_in_and_whom_it_calls(tmp_path: Path) -> None:
    more = "; agw:callsService ex:s ; agw:hasAuthorization ex:p . ex:p a agw:AuthorizationPolicy ; agw:hasRule [ "
    more += 'a agw:AuthorizationRule ; agw:callerSpiffeId "spiffe://a.example/*" ]'
    found = upstream(mtls("STRICT"), CARRIED + more, folder=tmp_path)
    assert found.sidecar and found.sidecar.calls == (EX + "s",) and found.sidecar.authorization
    (rule,) = found.sidecar.authorization.policies[0].rules
    assert rule.spiffe_ids == ("spiffe://a.example/*",)


def test_of_gateways_that_share_a_graph_each_knows_all_sidecars(tmp_path: Path) -> None:
    gateways = "ex:one a agw:ApiGateway . ex:two a agw:ApiGateway ."
    found = assembled(text(mtls("STRICT"), CARRIED, gateways), gateway=EX + "one", base_dir=tmp_path)
    assert [each.iri for each in found.accepted().upstreams] == [EX + "s"]
