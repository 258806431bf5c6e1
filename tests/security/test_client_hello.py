"""What a client says first, read from what OpenSSL writes and from what nobody would."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.security.client_hello import LARGEST_HELLO_BYTES, extensions, hello_bytes, server_name


def hello(name: str | None, *protocols: str) -> bytes:
    """What OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def test_how_much_to_wait_for_is_told_by_the_record() -> None:
    whole = hello("a.example")
    assert hello_bytes(b"\x16") == 5
    assert hello_bytes(whole[:7]) == hello_bytes(whole) == len(whole)
    assert hello_bytes(b"GET / HTTP/1.1") == 0
    assert hello_bytes(b"\x16\x03\x01\xff\xff") == 0


@pytest.mark.parametrize(
    ("name", "read"), [("a.example", "a.example"), ("A.Example", "a.example"), (None, None), ("127.0.0.1", None)]
)
def test_the_name_is_read(name: str | None, read: str | None) -> None:
    assert server_name(hello(name, "h2")) == read


def test_what_is_cut_off_or_none_names_nobody() -> None:
    whole = hello("a.example")
    assert all(server_name(whole[:end]) is None for end in range(len(whole)))
    for other in (
        b"",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"\x15" + whole[1:],
        whole[:5] + b"\x02" + whole[6:],
    ):
        assert server_name(other) is None


@given(st.data())
def test_no_bytes_harm_it(data: st.DataObject) -> None:
    whole = hello("a.example", "h2", "http/1.1")
    place, length = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 8))
    spoilt = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + length :]
    found = server_name(spoilt)
    assert found is None or found == found.lower()
    assert 0 <= hello_bytes(spoilt) <= LARGEST_HELLO_BYTES
    try:
        extensions(spoilt)
    except (IndexError, ValueError):
        pass
