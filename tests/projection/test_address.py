from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.projection.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("products:8080", Address("products", 8080)),
        ("Products.Example.com.:80", Address("products.example.com", 80)),
        ("http://products:8080", Address("products", 8080)),
        ("https://products:443", Address("products", 443, tls=True)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::1]:65535", Address("::1", 65535)),
        ("https://[fd00::1]:443", Address("fd00::1", 443, tls=True)),
        ("my_service.ns.svc:80", Address("my_service.ns.svc", 80)),
    ],
)
def test_reads_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "products", "https://products", "http://products:80/", "products:", ":80", "products:0", "products:65536", "products:-1", "products:8o", "::1:80", "[::g]:80",
        "10.0.0.256:80", "10.0.0:80", "http://products:80/path", "http://user@products:80", "ftp://products:80", "a b:80",
        "products:80?x=1", "products:80#f", "-a:80", "a..b:80", "products:80\n", "http://", "[]:80", "x" * 64 + ":80",
    ],
)  # fmt: skip
def test_refuses_what_is_none(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(max_size=40))
def test_never_raises(text: str) -> None:
    found = parse_address(text)
    assert found is None or (found.host and 1 <= found.port <= 65535)
