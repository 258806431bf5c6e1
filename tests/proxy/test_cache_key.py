"""What is one URL, and what is another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Cache, Rewrite
from api_gateway_service_mesh.proxy.cache_key import normal_target, normal_url, route_mark, url_of
from tests.support.gateway import route


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        (b"/a?b=c", b"/a?b=c"),
        (b"/%61%2f%2F?%7e", b"/a%2F%2F?~"),
        (b"/%zz%", b"/%zz%"),
        (b"/A", b"/A"),
        (b"/a?", b"/a?"),
    ],
)
def test_targets(target: bytes, normal: bytes) -> None:
    assert normal_target(target) == normal


@given(st.binary(max_size=40))
def test_a_normal_form_is_its_own(target: bytes) -> None:
    once = normal_target(target)
    if b"%" not in once.replace(b"%25", b""):
        assert normal_target(once) == once


def test_urls() -> None:
    assert normal_url(b"http", b"A.Example:80", b"/x") == b"http://a.example/x"
    assert normal_url(b"https", b"a:80", b"/x") == b"https://a:80/x"
    assert url_of("HTTPS://A:443/x?y#z") == b"https://a/x?y"


def test_a_route_that_asks_for_something_else_has_other_keys() -> None:
    policy, plain = Cache("urn:c"), route("/x")
    assert route_mark(plain, policy) == route_mark(replace(plain, name="other"), policy)
    for other in (
        replace(plain, upstream="urn:other"),
        replace(plain, iri="urn:other"),
        replace(plain, rewrite=Rewrite("urn:w", host="other")),
    ):
        assert route_mark(other, policy) != route_mark(plain, policy)
    assert route_mark(plain, replace(policy, keyed_fields=("x",))) != route_mark(plain, policy)
