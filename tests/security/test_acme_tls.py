"""TLS-ALPN-01 from below: what is shown, and which ClientHello asks. A real server stands in control/test_issuing.py."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.security.acme_tls import (
    PROTOCOL,
    answer_context,
    answer_name,
    answer_pem,
    asked_name,
)

from .test_client_hello import hello


def test_only_who_offers_nothing_else_asks() -> None:
    assert asked_name(hello("a.example", PROTOCOL)) == "a.example"
    for other in (
        hello("a.example", "h2", "http/1.1"),
        hello("a.example", PROTOCOL, "h2"),
        hello(None, PROTOCOL),
        hello("acme-tls-1.example"),
        b"",
        b"GET / HTTP/1.1 acme-tls/1",
        b"\x16\x03\x01acme-tls/1",
    ):
        assert asked_name(other) is None


@given(st.data())
def test_no_bytes_harm_it(data: st.DataObject) -> None:
    whole = hello("a.example", PROTOCOL)
    place, length = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 8))
    spoilt = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + length :]
    found = asked_name(spoilt)
    assert found is None or isinstance(found, str)
    assert asked_name(whole[:place]) in (None, "a.example")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("a.example", "A.example"),
        ("127.0.0.1", "1.0.0.127.in-addr.arpa"),
        ("::1", "1" + 31 * ".0" + ".ip6.arpa"),
    ],
)
def test_the_answer_is_what_rfc_8737_asks_for(tmp_path: Path, name: str, asked: str) -> None:
    assert answer_context([str(tmp_path)], asked) is None
    (tmp_path / answer_name(name)).write_bytes(answer_pem(name, "token.thumbprint"))
    context = answer_context([str(tmp_path / "elsewhere"), str(tmp_path)], asked)
    assert context is not None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_alpn_protocols([PROTOCOL])
    to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one, other = client.wrap_bio(back, to, server_hostname=asked), context.wrap_bio(to, back, server_side=True)
    for _ in range(3):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert one.selected_alpn_protocol() == PROTOCOL
    shown = x509.load_der_x509_certificate(one.getpeercert(binary_form=True) or b"")
    held = shown.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert held.critical
    assert isinstance(held.value, x509.UnrecognizedExtension)
    assert held.value.value == b"\x04\x20" + hashlib.sha256(b"token.thumbprint").digest()
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == [name]


def test_a_name_leads_nowhere_else() -> None:
    for name in ("../../etc/passwd", "a/b", "a\0b", "ä"):
        assert answer_name(name).removesuffix(".pem").isalnum()
