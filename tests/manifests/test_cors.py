"""CORS for other data planes."""

from __future__ import annotations

import re2

from api_gateway_service_mesh.manifests.cors import allowed, origin_matchers, preflight_methods
from api_gateway_service_mesh.model import Cors
from tests.support.routes import EX, route


def test_a_star_stands_for_one_label_or_more() -> None:
    below, exactly = origin_matchers(Cors(EX + "c", ("https://*.shop.example:8443", "https://shop.example")))
    expression = re2.compile(below["regex"])
    assert expression.fullmatch("https://a.b.shop.example:8443")
    assert not expression.fullmatch("https://shop.example:8443")
    assert not expression.fullmatch("https://a.shopxexample:8443")
    assert exactly == {"exact": "https://shop.example"}


def test_preflights_need_a_place_where_options_has_none() -> None:
    pages = route("pages", "/", methods=("PUT",), cors=Cors(EX + "c", ("*",)))
    assert preflight_methods(pages, ("PUT",)) == ("PUT",)
    assert preflight_methods(pages, ("OPTIONS", "PUT")) == ()
    assert preflight_methods(pages, ()) == ()
    assert preflight_methods(route("other", "/", methods=("PUT",)), ("PUT",)) == ()
    policy = allowed(pages)
    assert policy is not None and policy.methods == ("PUT",)
