"""Contexts from the model, proved by handshakes in memory, and the sentences for files that do not serve."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from api_gateway_service_mesh.errors import ConfigError, Severity
from api_gateway_service_mesh.model import (
    Certificate,
    Endpoint,
    Listener,
    Mesh,
    MtlsMode,
    PeerNames,
    TlsVersion,
    Upstream,
    UpstreamTls,
)
from api_gateway_service_mesh.security.material import inspect_material
from api_gateway_service_mesh.security.tls import client_context, mesh_findings, server_context, server_name
from tests.support.certs import Authority, Issued, new_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Issued:
    return authority.issue("server")


def on(certificate: Certificate | None, mode: MtlsMode | None = None) -> Listener:
    return Listener(iri="urn:test:listener", port=8443, certificate=certificate, mtls_mode=mode)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost"
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a whole handshake, or the error of the end that refused."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    far.write(b"!")
    assert near.read(1) == b"!"
    return near, far


def context_of(certificate: Certificate, mode: MtlsMode | None = None) -> ssl.SSLContext:
    context = server_context(on(certificate, mode))
    assert context is not None
    return context


def sentence(act: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        act()
    (finding,) = caught.value.report.violations
    assert finding.remedy
    assert finding.predicate
    assert finding.subject
    return finding.message


def test_no_certificate_is_plain_text() -> None:
    assert server_context(on(None)) is None
    assert server_context(on(None, MtlsMode.DISABLE)) is None


def test_one_way_tls_is_modern_and_speaks_http_1_1(authority: Authority, server: Issued) -> None:
    client = client_context(UpstreamTls(authority.trust_model()))
    near, far = handshake(context_of(server.model(trust=False)), client)
    assert near.version() == "TLSv1.3"
    assert near.selected_alpn_protocol() == far.selected_alpn_protocol() == "http/1.1"
    assert far.getpeercert() is None
    suites = context_of(server.model()).get_ciphers()
    assert all("GCM" in suite["name"] or "CHACHA20" in suite["name"] for suite in suites)
    assert all(suite["protocol"] == "TLSv1.3" or "ECDHE" in suite["name"] for suite in suites)
    assert context_of(server.model()).minimum_version is ssl.TLSVersion.TLSv1_2


def test_strict_takes_only_clients_of_its_authority(authority: Authority, server: Issued, tmp_path: Path) -> None:
    strict = context_of(server.model(), MtlsMode.STRICT)
    spiffe = authority.issue("shop", names=(), uris=("spiffe://example.org/shop",))
    _, far = handshake(strict, client_context(UpstreamTls(spiffe.model())))
    assert ("URI", "spiffe://example.org/shop") in (far.getpeercert() or {})["subjectAltName"]
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(strict, client_context(UpstreamTls(authority.trust_model())))
    stranger = new_authority(tmp_path, "stranger").issue("stranger")
    shown = replace(stranger.model(), trust_bundle_file=str(authority.bundle))
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(strict, client_context(UpstreamTls(shown)))
    with pytest.raises(ssl.SSLError, match="expired"):
        handshake(strict, client_context(UpstreamTls(authority.expired().model())))


def test_permissive_verifies_what_is_shown(authority: Authority, server: Issued, tmp_path: Path) -> None:
    permissive = context_of(server.model(), MtlsMode.PERMISSIVE)
    handshake(permissive, client_context(UpstreamTls(authority.trust_model())))
    _, far = handshake(permissive, client_context(UpstreamTls(server.model())))
    assert far.getpeercert()
    stranger = new_authority(tmp_path, "stranger").issue("stranger")
    shown = replace(stranger.model(), trust_bundle_file=str(authority.bundle))
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(permissive, client_context(UpstreamTls(shown)))
    assert context_of(server.model(trust=False), MtlsMode.PERMISSIVE).verify_mode is ssl.CERT_NONE


def test_an_upstream_is_verified_by_name_and_never_by_common_name(authority: Authority, tmp_path: Path) -> None:
    client = client_context(UpstreamTls(authority.trust_model()))
    orders = context_of(authority.issue("orders", names=("orders.internal",)).model())
    handshake(orders, client, "orders.internal")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(orders, client, "users.internal")
    only_common_name = context_of(authority.issue("bare", names=(), common_name="orders.internal").model())
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(only_common_name, client, "orders.internal")
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(context_of(authority.expired().model()), client)
    elsewhere = context_of(new_authority(tmp_path, "elsewhere").issue("impostor", names=("orders.internal",)).model())
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(elsewhere, client, "orders.internal")


def test_without_a_bundle_the_system_roots_decide(server: Issued) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context_of(server.model()), client_context(UpstreamTls()))


def test_the_server_name_is_stated_or_the_host() -> None:
    endpoint = Endpoint(iri="urn:test:endpoint", host="10.0.0.7", port=443, tls=True)
    assert server_name(endpoint, None) == "10.0.0.7"
    assert server_name(endpoint, UpstreamTls()) == "10.0.0.7"
    assert server_name(endpoint, UpstreamTls(server_name="orders.internal")) == "orders.internal"


def test_a_reload_that_changes_nothing_gets_the_same_context(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("cached")
    first = context_of(issued.model())
    elsewhere = tmp_path / "copy.pem"
    elsewhere.write_bytes(issued.certificate_file.read_bytes())
    assert context_of(replace(issued.model(), certificate_file=str(elsewhere))) is first
    assert context_of(issued.model(), MtlsMode.STRICT) is not first
    authority.issue("cached")  # same files, new content
    assert context_of(issued.model()) is not first


def test_a_key_from_the_environment_needs_no_file(server: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_KEY", server.key_pem.decode())
    assert context_of(server.model(key_ref="env:AGW_TEST_KEY")) is context_of(server.model())
    material, _ = inspect_material(server.model(key_ref="env:AGW_TEST_KEY"))
    assert "PRIVATE" not in repr(material)


def test_a_key_in_the_certificate_file_is_found(server: Issued, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(server.key_pem + server.certificate_pem)
    assert context_of(Certificate("urn:test:both", certificate_file=str(both)))


def test_files_that_do_not_serve_get_a_sentence(authority: Authority, server: Issued, tmp_path: Path) -> None:
    good = server.model()
    der, locked, garbage = tmp_path / "server.der", tmp_path / "locked.pem", tmp_path / "garbage.pem"
    der.write_bytes(server.certificate.public_bytes(serialization.Encoding.DER))
    garbage.write_text("nothing here")
    locked.write_bytes(
        server.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    other = authority.issue("other")
    weak = authority.issue("weak", rsa_bits=1024)
    cases = {
        replace(
            good, certificate_file="/nowhere/server.pem"
        ): "/nowhere/server.pem cannot be read: No such file or directory.",
        replace(good, certificate_file=str(tmp_path)): f"{tmp_path} cannot be read: Is a directory.",
        replace(good, certificate_file=str(der)): f"{der} holds no PEM certificate.",
        replace(good, certificate_file=str(server.key_file)): f"{server.key_file} holds no PEM certificate.",
        replace(good, private_key_ref=f"file:{garbage}"): f"{garbage} holds no PEM private key.",
        replace(good, private_key_ref=f"file:{locked}"): f"The private key in {locked} is encrypted.",
        replace(good, private_key_ref=f"file:{other.key_file}"): (
            f"The private key in {other.key_file} does not belong to the certificate in {server.certificate_file}."
        ),
        replace(good, private_key_ref="env:AGW_NOT_SET"): (
            "The private key is to come from the environment variable AGW_NOT_SET, which is not set."
        ),
        replace(good, private_key_ref=None): (
            f"The certificate {server.certificate_file} has no private key: agw:privateKeyRef is missing."
        ),
        replace(good, private_key_ref=server.key_pem.decode()): "agw:privateKeyRef is neither file:PATH nor env:NAME.",
        replace(good, trust_bundle_file=str(garbage)): f"{garbage} holds no PEM certificate.",
        weak.model(): f"The RSA key in {weak.key_file} has 1024 bits; clients refuse fewer than 2048.",
    }
    for certificate, message in cases.items():
        assert sentence(lambda certificate=certificate: server_context(on(certificate, MtlsMode.STRICT))) == message
        assert sentence(lambda certificate=certificate: client_context(UpstreamTls(certificate))) == message


def test_modes_without_what_they_need_get_a_sentence(server: Issued, authority: Authority) -> None:
    for mode in (MtlsMode.STRICT, MtlsMode.PERMISSIVE):
        message = sentence(lambda mode=mode: server_context(on(None, mode)))
        assert message == f"The listener on port 8443 asks for mTLS ({mode}) but names no certificate file."
    message = sentence(lambda: server_context(on(server.model(trust=False), MtlsMode.STRICT)))
    assert message == "The listener on port 8443 is STRICT but cannot verify clients: no trust bundle."
    message = sentence(lambda: server_context(on(authority.trust_model())))
    assert message == "The listener on port 8443 is given a certificate but names no certificate file."


def test_mesh_findings_tell_expiry_before_it_hurts(authority: Authority, server: Issued) -> None:
    expired = authority.expired()
    mesh = Mesh(
        iri="urn:test:gateway",
        name="test",
        listeners=(on(server.model(), MtlsMode.STRICT), on(None, MtlsMode.STRICT)),
        upstreams=(Upstream(iri="urn:test:upstream", name="upstream", tls=UpstreamTls(expired.model())),),
    )
    codes = {finding.code: finding for finding in mesh_findings(mesh)}
    assert set(codes) == {"certificate-missing", "certificate-expired"}
    assert codes["certificate-expired"].severity is Severity.WARNING
    assert str(expired.certificate_file) in codes["certificate-expired"].message
    soon = mesh_findings(mesh, moment=datetime.now(UTC) + timedelta(hours=20))
    assert "certificate-expires-soon" in {finding.code for finding in soon}
    early = mesh_findings(mesh, moment=datetime.now(UTC) - timedelta(days=20))
    assert "certificate-not-yet-valid" in {finding.code for finding in early}


def shows(secured: ssl.SSLObject) -> set[str]:
    return {value for _, value in (secured.getpeercert() or {}).get("subjectAltName", ())}


def test_of_several_certificates_the_name_asked_for_chooses(authority: Authority, server: Issued) -> None:
    shop = authority.issue("shop-site", names=("shop.example.com", "www.shop.example.com"))
    wild = authority.issue("wild", names=("*.example.com",))
    context = server_context(
        replace(on(server.model(), MtlsMode.STRICT), more_certificates=(shop.model(trust=False), wild.model()))
    )
    assert context is not None
    trusting = client_context(UpstreamTls(authority.issue("caller").model()))
    for asked, shown in {
        "localhost": "localhost",
        "shop.example.com": "shop.example.com",
        "SHOP.example.com": "shop.example.com",
        "www.shop.example.com": "www.shop.example.com",
        "blog.example.com": "*.example.com",
    }.items():
        near, far = handshake(context, trusting, asked)
        assert shown in shows(near)
        assert far.getpeercert(), "clients are verified, whichever certificate is shown"
    trusting.check_hostname = False
    for asked in ("unknown.org", "a.b.example.com"):
        assert "localhost" in shows(handshake(context, trusting, asked)[0])


def test_revoked_certificates_are_refused_on_both_sides(authority: Authority, server: Issued) -> None:
    good, bad = authority.issue("good"), authority.issue("bad")
    listed = authority.crl("list.crl", bad)
    both = replace(server.model(), crl_file=str(listed))
    strict = context_of(both, MtlsMode.STRICT)
    handshake(strict, client_context(UpstreamTls(good.model())))
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        handshake(strict, client_context(UpstreamTls(bad.model())))
    wary = client_context(UpstreamTls(both))
    handshake(context_of(good.model()), wary)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate revoked"):
        handshake(context_of(bad.model()), wary)
    der = authority.crl("list.der", bad, der=True)
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        handshake(
            context_of(replace(both, crl_file=str(der)), MtlsMode.STRICT), client_context(UpstreamTls(bad.model()))
        )


def test_a_list_that_has_ended_accepts_nobody(authority: Authority, server: Issued) -> None:
    ended = authority.crl("ended.crl", lasts=timedelta(hours=-1))
    certificate = replace(server.model(), crl_file=str(ended))
    with pytest.raises(ssl.SSLError, match="CRL has expired"):
        handshake(context_of(certificate, MtlsMode.STRICT), client_context(UpstreamTls(server.model())))
    _, findings = inspect_material(certificate)
    assert [(each.code, each.severity) for each in findings] == [("crl-expired", Severity.WARNING)]


def test_a_list_that_is_none_gets_a_sentence(server: Issued) -> None:
    wrong = replace(server.model(), crl_file=str(server.certificate_file))
    message = sentence(lambda: server_context(on(wrong, MtlsMode.STRICT)))
    assert message == f"{server.certificate_file} holds no certificate revocation list."


def test_clients_are_asked_when_a_route_wants_to_know(authority: Authority, server: Issued) -> None:
    listener = on(server.model())
    assert server_context(listener).verify_mode is ssl.CERT_NONE  # type: ignore[union-attr]
    asking = server_context(replace(listener, asks_clients=True))
    assert asking is not None
    handshake(asking, client_context(UpstreamTls(authority.trust_model())))
    _, far = handshake(asking, client_context(UpstreamTls(server.model())))
    assert far.getpeercert()
    elsewhere = replace(on(server.model(trust=False)), asks_clients=True, client_trust=authority.trust_model())
    assert server_context(elsewhere).verify_mode is ssl.CERT_OPTIONAL  # type: ignore[union-attr]


def test_the_oldest_version_can_be_raised(server: Issued) -> None:
    context = server_context(replace(on(server.model()), minimum_tls=TlsVersion.TLS_1_3))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_with_who_the_client_is(
    authority: Authority, server: Issued, version: ssl.TLSVersion
) -> None:
    strict = context_of(server.model(), MtlsMode.STRICT)
    client = ssl.create_default_context(cafile=str(authority.bundle))
    client.maximum_version = version
    client.load_cert_chain(server.certificate_file, server.key_file)
    near, _ = handshake(strict, client)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    again = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=near.session)
    far = strict.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (again, far):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert again.session_reused
    assert far.getpeercert(), "who the client is is remembered with the session"


def test_an_upstream_that_proves_a_spiffe_id_needs_no_name(authority: Authority) -> None:
    ledger = context_of(authority.issue("ledger", names=(), uris=("spiffe://example.org/ledger",)).model())
    peers = PeerNames(spiffe_ids=("spiffe://example.org/ledger",))
    handshake(ledger, client_context(UpstreamTls(authority.trust_model(), peers=peers)), "10.0.0.7")
    both = UpstreamTls(authority.trust_model(), "ledger.internal", peers)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(ledger, client_context(both), "ledger.internal")
