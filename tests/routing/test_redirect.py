"""Where redirects send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Redirect
from api_gateway_service_mesh.routing.redirect import locator, redirect_part
from tests.support.gateway import route

OLD = route("/old")


@pytest.mark.parametrize(
    ("redirect", "asked", "wanted"),
    [
        (Redirect("", scheme="https"), ("http", "a.example:8080", "/old/x", "q=1"), "https://a.example/old/x?q=1"),
        (Redirect("", scheme="https", port=8443), ("http", "a.example", "/old", ""), "https://a.example:8443/old"),
        (Redirect("", scheme="https"), ("https", "a.example", "/old", ""), None),
        (Redirect("", scheme="https"), ("https", "a.example:443", "/old", ""), None),
        (Redirect("", host="b.example"), ("http", "a.example:8080", "/old", ""), "http://b.example/old"),
        (Redirect("", host="a.example"), ("http", "A.example", "/old", ""), None),
        (Redirect("", port=9000), ("http", "[::1]:80", "/old", ""), "http://[::1]:9000/old"),
        (Redirect("", prefix="/new"), ("http", "a", "/old/x", "a=b&c"), "/new/x?a=b&c"),
        (Redirect("", prefix="/"), ("http", "a", "/old//evil.example", ""), "/evil.example"),
        (Redirect("", full_path="/new"), ("http", "a", "/old/x", ""), "/new"),
        (Redirect("", full_path="/old"), ("http", "a", "/old", "x"), None),
    ],
)
def test_places(redirect: Redirect, asked: tuple[str, str, str, str], wanted: str | None) -> None:
    assert locator(OLD, redirect)(*asked) == wanted


@given(st.text("/\\.@:%a?#é", max_size=20), st.sampled_from(["/", "/new", "/new/"]))
def test_no_path_leads_to_another_host(rest: str, prefix: str) -> None:
    place = locator(OLD, Redirect("", prefix=prefix))("http", "a.example", "/old" + rest, "")
    assert place is None or (place[:1] == "/" and place[1:2] not in {"/", "\\"})


def test_explain_says_where_to() -> None:
    part = redirect_part(OLD, Redirect("urn:m", 308, host="b.example"), "a.example", "/old")
    assert part.text == "answers 308, to http://b.example/old"
    assert [citation.object for citation in part.citations] == ["urn:m", "b.example", "308"]
