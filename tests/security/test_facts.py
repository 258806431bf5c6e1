"""What certificates say, including what a hostile one says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.security.facts import certificate_facts, expiry, read_facts, spiffe_id
from tests.support.certs import new_authority


def test_facts_of_a_leaf(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    issued = authority.issue("shop", names=("shop.internal", "10.0.0.7", "::1"), uris=("spiffe://example.org/ns/shop",))
    (facts,) = read_facts(issued.certificate_file)
    assert facts.subject == "CN=shop"
    assert facts.issuer == "CN=test authority"
    assert facts.dns_names == ("shop.internal",)
    assert facts.ip_addresses == ("10.0.0.7", "::1")
    assert facts.identity == "spiffe://example.org/ns/shop"
    assert not facts.is_authority
    assert facts.fingerprint == issued.certificate.fingerprint(hashes.SHA256()).hex()
    assert facts.valid_at(datetime.now(UTC))
    assert not facts.valid_at(datetime.now(UTC) + timedelta(days=2))
    assert expiry(issued.certificate_file) == facts.not_after
    assert expiry(issued.certificate_file).tzinfo is UTC
    assert certificate_facts(issued.certificate.public_bytes(serialization.Encoding.DER)) == facts


def test_a_chain_is_read_in_its_order(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    issued = authority.issue("leaf")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issued.certificate_pem + authority.bundle.read_bytes())
    assert [facts.is_authority for facts in read_facts(chain)] == [False, True]


def test_names_with_nul_and_line_ends_stay_apart_from_plain_ones() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    hostile = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a\r\nX-Admin: 1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(hostile)
        .issuer_name(hostile)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example\0.evil.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    facts = certificate_facts(certificate)
    assert facts.dns_names == ("bank.example%00.evil.example",)
    assert "\r" not in facts.subject
    assert "\n" not in facts.subject


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("spiffe://a.example/x", "spiffe://a.example/y"),
        ("spiffe://a.example/x", "https://a.example/"),
        ("https://a.example/",),
        ("spiffe://",),
        ("spiffe:///path",),
        ("spiffe://A.example/x",),
        ("SPIFFE://a.example/x",),
        ("spiffe://a.example/",),
        ("spiffe://a.example//x",),
        ("spiffe://a.example/x/",),
        ("spiffe://a.example/./x",),
        ("spiffe://a.example/x/..",),
        ("spiffe://a.example/%2e%2e",),
        ("spiffe://a.example/x?y",),
        ("spiffe://a.example/x#y",),
        ("spiffe://a.example:80/x",),
        ("spiffe://me@a.example/x",),
        ("spiffe://a.example/x\n",),
        ("spiffe://a.example/ü",),
        ("spiffe://a.example/" + "x" * 2048,),
    ],
)
def test_what_is_not_one_spiffe_id_is_none(uris: tuple[str, ...]) -> None:
    assert spiffe_id(uris) is None


@pytest.mark.parametrize("uri", ["spiffe://a.example", "spiffe://a_b-c.1/ns/Default/sa/x..y", "spiffe://a/.../..x"])
def test_spiffe_ids(uri: str) -> None:
    assert spiffe_id((uri,)) == uri


def test_what_cannot_be_read_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgwError, match="cannot be read: No such file"):
        read_facts(tmp_path / "missing.pem")
    (tmp_path / "text.pem").write_text("text")
    with pytest.raises(AgwError, match="holds no PEM certificate"):
        read_facts(tmp_path / "text.pem")
    with pytest.raises(AgwError, match="cannot be read"):
        certificate_facts(b"not DER")
