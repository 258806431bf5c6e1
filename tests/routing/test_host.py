"""Hosts as people write them."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.routing.host import ANY_HOST, host_findings, host_holds, host_key, host_text
from tests.support.routes import route


def test_keys_order_hosts() -> None:
    ordered = ["a.example.com", "*.b.example.com", "*.example.com", "*"]
    assert sorted(ordered, key=host_key) == ordered
    assert host_key("*") == host_key("") == ANY_HOST
    assert host_key("Shop.Example.COM.") == host_key("shop.example.com")


@pytest.mark.parametrize(
    "host", ["shop.example.com", "*.example.com", "*", "10.0.0.1", "[::1]", "a_b.internal", "xn--bcher-kva.de"]
)
def test_good_hosts(host: str) -> None:
    assert host_findings(route("r", "/", hosts=(host,))) == []
    assert host_text(host_key(host)) == host


@pytest.mark.parametrize("host", ["a..b", "-a.b", "a b", "a.*", "http://a", "a/b", "a:80", "x" * 64, "*a.b", "ü.de"])
def test_bad_hosts(host: str) -> None:
    (finding,) = host_findings(route("r", "/", hosts=(host,)))
    assert finding.code == "malformed-hostname"
    assert finding.remedy


def test_a_wildcard_stands_for_one_label_or_more() -> None:
    wildcard = host_key("*.example.com")
    assert host_holds(wildcard, "a.example.com")
    assert host_holds(wildcard, "a.b.example.com.")
    assert not host_holds(wildcard, "example.com")
    assert not host_holds(wildcard, ".example.com")
    assert not host_holds(wildcard, "badexample.com")
