from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.model import MtlsMode
from tests.support.configuration import EX, mesh_of


def test_modes() -> None:
    text = "ex:s a agw:BackendService ; agw:hasServiceMesh ex:m ; agw:hasMutualTLS ex:t . ex:m a agw:ServiceMesh . ex:t a agw:MutualTLS "
    for mode in MtlsMode:
        (service,) = mesh_of(text + f'; agw:mtlsMode "{mode}" .').upstreams
        assert service.mtls_mode is mode
    (service,) = mesh_of(text + ".").upstreams
    assert service.mtls_mode is MtlsMode.STRICT, "who asks for mTLS and says no more means it"


def test_the_certificate_is_shared_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("")
    (service,) = mesh_of(
        """ex:s a agw:BackendService ; agw:address "s:80" ; agw:hasMutualTLS ex:t .
        ex:t a agw:PeerAuthentication ; agw:mtlsMode "STRICT" ; agw:hasCertificate ex:c .
        ex:c a agw:Certificate ; agw:certificateFile "c.pem" .""",
        base_dir=tmp_path,
    ).upstreams
    assert service.tls and service.tls.certificate and service.tls.certificate.iri == EX + "c"
