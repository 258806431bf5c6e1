"""The built-in authority: what it issues serves, and nothing is overwritten or half written."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Certificate, Listener, MtlsMode, UpstreamTls
from api_gateway_service_mesh.security.authority import (
    IssuedCertificate,
    create_authority,
    issue,
    revoke,
    rotate,
    status,
)
from api_gateway_service_mesh.security.facts import read_facts
from api_gateway_service_mesh.security.material import inspect_material
from api_gateway_service_mesh.security.tls import client_context, server_context

from .test_tls import handshake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_authority(tmp_path / "pki", "Shop authority")
    return tmp_path / "pki"


def model(issued: IssuedCertificate) -> Certificate:
    return Certificate(
        "urn:test:issued", str(issued.certificate_file), f"file:{issued.key_file}", str(issued.trust_bundle_file)
    )


def test_what_it_issues_serves_both_ends_of_mtls(folder: Path) -> None:
    gateway = issue(folder, ["gateway.internal", "127.0.0.1"])
    caller = issue(folder, [], ["spiffe://shop.internal/orders"])
    listener = Listener(iri="urn:test:l", port=0, certificate=model(gateway), mtls_mode=MtlsMode.STRICT)
    server = server_context(listener)
    assert server is not None
    near, far = handshake(server, client_context(UpstreamTls(model(caller))), "gateway.internal")
    handshake(server, client_context(UpstreamTls(model(caller))), "127.0.0.1")
    assert ("URI", "spiffe://shop.internal/orders") in (far.getpeercert() or {})["subjectAltName"]
    strict = ssl.create_default_context(cafile=str(gateway.trust_bundle_file))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    strict.load_cert_chain(caller.certificate_file, caller.key_file)
    assert near.version() == handshake(server, strict, "gateway.internal")[0].version()


def test_keys_are_their_owners_alone(folder: Path) -> None:
    issued = issue(folder, ["a.internal"])
    assert stat.S_IMODE(issued.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "ca-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not [file.name for file in folder.iterdir() if file.name.startswith(".")]


def test_nothing_is_overwritten(folder: Path) -> None:
    issued = issue(folder, ["a.internal"])
    before = issued.certificate_file.read_bytes(), issued.key_file.read_bytes()
    with pytest.raises(AgwError, match="is there already"):
        issue(folder, ["a.internal"])
    with pytest.raises(AgwError, match="is there already"):
        create_authority(folder, "Another")
    assert (issued.certificate_file.read_bytes(), issued.key_file.read_bytes()) == before
    issued.certificate_file.unlink()
    with pytest.raises(AgwError, match="is there already"):  # the key alone counts
        issue(folder, ["a.internal"])


def test_rotation_keeps_the_names_and_changes_the_key(folder: Path) -> None:
    first = issue(folder, ["a.internal", "10.0.0.1"], ["spiffe://shop.internal/a"], days=1)
    key = first.key_file.read_bytes()
    (old,) = read_facts(first.certificate_file)
    second = rotate(folder, "a.internal", days=30)
    (new,) = read_facts(second.certificate_file)
    assert (new.dns_names, new.ip_addresses, new.uris) == (old.dns_names, old.ip_addresses, old.uris)
    assert new.not_after > old.not_after
    assert second.key_file.read_bytes() != key
    assert stat.S_IMODE(second.key_file.stat().st_mode) == 0o600
    for stem in ("ca", "missing"):
        with pytest.raises(AgwError):
            rotate(folder, stem)


def test_status_lists_the_soonest_end_first(folder: Path) -> None:
    issue(folder, ["long.internal"], days=90)
    issue(folder, ["*.short.internal"], days=5)
    listed = status(folder)
    assert [one.certificate_file.stem for one in listed] == ["wildcard.short.internal", "long.internal", "ca"]
    assert 4.9 < listed[0].remaining_days <= 5
    assert all(one.has_key for one in listed)
    assert status(folder, moment=datetime.now(UTC) + timedelta(days=6))[0].remaining_days < 0


def test_a_leaf_never_outlives_its_authority(tmp_path: Path) -> None:
    authority = create_authority(tmp_path, "Short", days=2)
    assert issue(tmp_path, ["a.internal"], days=90).not_after == authority.not_after


@pytest.mark.parametrize(
    ("names", "uris", "days"),
    [
        ([], [], 90),
        (["a b"], [], 90),
        (["a..b"], [], 90),
        (["-a"], [], 90),
        (["x" * 64 + ".internal"], [], 90),
        (["a.*.internal"], [], 90),
        (["a\n"], [], 90),
        (["bücher.example"], [], 90),
        (["../../etc"], [], 90),
        (["ca"], [], 90),
        (["a.internal"], ["https://a.internal"], 90),
        (["a.internal"], ["spiffe://A/x"], 90),
        (["a.internal"], [], 0),
        (["a.internal"], [], 10**6),
    ],
)
def test_what_cannot_be_certified_gets_a_sentence(folder: Path, names: list[str], uris: list[str], days: int) -> None:
    before = set(folder.iterdir())
    with pytest.raises(AgwError):
        issue(folder, names, uris, days)
    assert set(folder.iterdir()) == before


def test_without_an_authority_there_is_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(AgwError, match="holds no authority") as caught:
        issue(tmp_path, ["a.internal"])
    assert caught.value.remedy == "Create one first: agw cert ca."
    with pytest.raises(AgwError, match="is not a folder"):
        status(tmp_path / "missing")
    with pytest.raises(AgwError, match="needs a name"):
        create_authority(tmp_path, " ")


def test_a_revoked_certificate_is_refused_and_stays_on_the_list(folder: Path) -> None:
    bad, good = issue(folder, ("bad.example",)), issue(folder, ("good.example",))
    listed = revoke(folder, "bad.example")
    assert listed == folder / "ca.crl"
    assert revoke(folder, "") == listed, "the list is made anew, with what was on it"
    revoked = x509.load_pem_x509_crl(listed.read_bytes())
    serials = {each.serial_number for each in revoked}
    assert serials == {x509.load_pem_x509_certificate(bad.certificate_file.read_bytes()).serial_number}
    server = Certificate(
        "urn:server",
        str(good.certificate_file),
        f"file:{good.key_file}",
        str(good.trust_bundle_file),
        crl_file=str(listed),
    )
    material, findings = inspect_material(server)
    assert findings == ()
    assert material.crl == listed.read_bytes()
    with pytest.raises(AgwError, match="cannot be read"):
        revoke(folder, "nobody.example")


def test_only_its_own_certificates_are_revoked(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    create_authority(other, "another authority")
    theirs = issue(other, ("theirs.example",))
    (folder / "theirs.pem").write_bytes(theirs.certificate_file.read_bytes())
    with pytest.raises(AgwError, match="is not of the authority"):
        revoke(folder, "theirs")
