"""Who a certificate belongs to, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from api_gateway_service_mesh.model import CertificateDetail, PeerNames
from api_gateway_service_mesh.security.peer import PeerCertificate
from tests.support.certs import Authority, new_authority

ALL = tuple(CertificateDetail)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


def shown(
    authority: Authority, names: tuple[str, ...] = (), uris: tuple[str, ...] = (), **more: str
) -> PeerCertificate:
    issued = authority.issue("peer", names=names, uris=uris, **more)  # type: ignore[arg-type]
    return PeerCertificate(issued.certificate.public_bytes(Encoding.DER))


SHOP = "spiffe://example.org/ns/shop/sa/web"


@pytest.mark.parametrize(
    ("peers", "holds"),
    [
        (PeerNames((SHOP,)), True),
        (PeerNames(("spiffe://example.org/ns/shop/*",)), True),
        (PeerNames(("spiffe://example.org/*",)), True),
        (PeerNames(("spiffe://example.org/ns/sho/*",)), False),
        (PeerNames(("spiffe://example.org/ns/shop",)), False),
        (PeerNames(("spiffe://example.org.evil/*",)), False),
        (PeerNames((), ("example.org",)), True),
        (PeerNames((), ("example",)), False),
        (PeerNames((), ("evil.org", "example.org")), True),
        (PeerNames((), (), (SHOP,)), True),
        (PeerNames(("spiffe://other/a",), ("other",), (SHOP,)), True),
        (PeerNames((), (), ("example.org",)), False),
    ],
)
def test_spiffe_ids(authority: Authority, peers: PeerNames, holds: bool) -> None:
    certificate = shown(authority, uris=(SHOP,))
    assert certificate.spiffe_id == SHOP
    assert certificate.is_among(peers) is holds
    assert certificate.is_among(peers) is holds, "and the same when asked again"


@pytest.mark.parametrize(
    ("names", "wanted", "holds"),
    [
        (("users.internal",), "users.internal", True),
        (("Users.Internal",), "users.internal", True),
        (("users.internal",), "*.internal", True),
        (("a.users.internal",), "*.internal", False),
        (("*.internal",), "users.internal", True),
        (("*.internal",), "a.users.internal", False),
        (("internal",), "*.internal", False),
        (("10.0.0.7",), "10.0.0.7", True),
        (("10.0.0.7",), "10.0.0.8", False),
        ((), "peer", False),  # the common name counts for nothing
    ],
)
def test_names(authority: Authority, names: tuple[str, ...], wanted: str, holds: bool) -> None:
    assert shown(authority, names).is_among(PeerNames(names=(wanted,))) is holds


def test_two_uris_are_no_identity(authority: Authority) -> None:
    certificate = shown(authority, uris=(SHOP, "spiffe://example.org/admin"))
    assert certificate.spiffe_id is None
    assert not certificate.is_among(PeerNames(("spiffe://example.org/*",), ("example.org",)))


def test_what_cannot_be_read_is_nobody() -> None:
    certificate = PeerCertificate(b"no certificate")
    assert certificate.facts is None
    assert certificate.names == ()
    assert not certificate.is_among(PeerNames((), (), ("",)))
    assert certificate.element(ALL) == f"Hash={certificate.fingerprint}".encode()


def test_what_is_told_is_in_envoys_form_and_cannot_end_the_line(authority: Authority, tmp_path: Path) -> None:
    certificate = shown(authority, ("a.example", "b.example"), (SHOP,), common_name='we, "the" \r\nX-Evil: 1;x=y')
    told = certificate.element(ALL).decode("ascii")
    assert told.startswith(f'Hash={certificate.fingerprint};Cert="-----BEGIN%20CERTIFICATE-----%0A')
    assert told.endswith(f";URI={SHOP};DNS=a.example;DNS=b.example")
    assert "\r" not in told
    assert "\n" not in told
    assert '\\"the' in told.replace("\\\\", "")
    pem = unquote(told.partition('Cert="')[2].partition('"')[0])
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n")
    assert certificate.element((CertificateDetail.URI,)).decode() == f"Hash={certificate.fingerprint};URI={SHOP}"
