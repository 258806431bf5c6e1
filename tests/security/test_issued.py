"""Issued certificates: kept whole or not at all, private, found again, and asked for by one at a time."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate, CertificateAuthority, Listener
from api_gateway_service_mesh.security import issued as module
from api_gateway_service_mesh.security.authority import issue_pair
from api_gateway_service_mesh.security.issued import IssuedPair, IssuingBusy, current, folder_lock, keep, new_request
from api_gateway_service_mesh.security.material import inspect_material
from api_gateway_service_mesh.security.standin import COMMON_NAME
from api_gateway_service_mesh.security.tls import server_context
from tests.support.certs import new_authority


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    folder = tmp_path / "issued"
    return Certificate(
        "urn:test:site",
        str(folder / "site.pem"),
        trust_bundle_file=str(folder / "ca.pem"),
        authority=CertificateAuthority("urn:test:ca", str(folder)),
        names=("site.example", "10.0.0.7", "spiffe://example.org/site"),
        lifetime_seconds=3600.0,
    )


def folder_of(certificate: Certificate) -> Path:
    return Path(certificate.certificate_file or "").parent


def test_what_agws_own_authority_issues_serves_at_once(certificate: Certificate) -> None:
    assert current(certificate) is None
    facts = keep(certificate, issue_pair(folder_of(certificate), certificate))
    assert facts.dns_names == ("site.example",)
    assert facts.ip_addresses == ("10.0.0.7",)
    assert facts.identity == "spiffe://example.org/site"
    assert facts.not_after - facts.not_before <= timedelta(hours=1, minutes=6)
    assert current(certificate) == facts
    file = Path(certificate.certificate_file or "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server_context(Listener("urn:l", 0, certificate=certificate)) is not None
    assert inspect_material(certificate)[1] == ()


def test_before_it_is_issued_a_stand_in_is_shown_that_vouches_for_nobody(certificate: Certificate) -> None:
    material, findings = inspect_material(certificate)
    assert findings == ()
    shown = x509.load_pem_x509_certificate(material.chain)
    assert COMMON_NAME in shown.subject.rfc4514_string()
    assert material.bundle.encode() == material.chain
    assert inspect_material(certificate)[0] == material, "the same as long as the process lives"
    only_trust, _ = inspect_material(certificate.trust)
    assert only_trust.chain == b""
    assert only_trust.bundle == material.bundle


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_a_crash_at_any_step_keeps_the_old_pair(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old = keep(certificate, issue_pair(folder_of(certificate), certificate))
    fresh = issue_pair(folder_of(certificate), certificate)

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path if step == "replace" else module.os, step, fails)
        with pytest.raises(AgwError, match="cannot be written"):
            keep(certificate, fresh)
    assert current(certificate) == old
    assert [each for each in os.listdir(folder_of(certificate)) if each.startswith(".site")] == []


def test_what_would_not_serve_is_not_kept(certificate: Certificate, tmp_path: Path) -> None:
    folder = folder_of(certificate)
    old = keep(certificate, issue_pair(folder, certificate))
    first, second = issue_pair(folder, certificate), issue_pair(folder, certificate)
    expired = new_authority(tmp_path, "other").expired()
    for pair, said in (
        (IssuedPair(first.chain, second.key), "does not belong"),
        (IssuedPair(b"no certificate", first.key), "holds no certificate"),
        (IssuedPair(first.chain, b"no key"), "holds no certificate"),
        (IssuedPair(expired.certificate_pem, expired.key_pem), "ended on"),
        (IssuedPair(first.chain, first.key, b"no bundle"), "holds no certificate"),
    ):
        with pytest.raises(AgwError, match=said) as refused:
            keep(certificate, pair)
        assert "PRIVATE" not in str(refused.value)
        assert "PRIVATE" not in repr(pair)
        assert current(certificate) == old


def test_one_gateway_asks_at_a_time(tmp_path: Path) -> None:
    folder = str(tmp_path / "shared")
    with folder_lock(folder), pytest.raises(IssuingBusy), folder_lock(folder):
        raise AssertionError("two at once")
    with folder_lock(folder):
        pass


def test_a_folder_that_cannot_be_written_is_said(certificate: Certificate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AgwError, match="cannot be written"), folder_lock(str(tmp_path / "file" / "below")):
        raise AssertionError("a folder in a file")
    pair = issue_pair(folder_of(certificate), certificate)
    with pytest.raises(AgwError, match="cannot be written"):
        keep(replace(certificate, certificate_file=str(tmp_path / "file" / "a.pem")), pair)


def test_a_request_names_what_is_asked_for() -> None:
    key, request = new_request(("a.example", "b.example"))
    assert key.startswith(b"-----BEGIN PRIVATE KEY-----")
    parsed = x509.load_der_x509_csr(request)
    assert parsed.is_signature_valid
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "b.example"]
