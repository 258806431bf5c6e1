"""The order of routes, one rule a test."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.routing import compile_table
from tests.support.routes import header, mesh, parameter, route

FIRST_GOES_FIRST = {
    "exact host before wildcard": (route("z", "/*", hosts=("a.b.c",)), route("a", "/x", hosts=("*.b.c",))),
    "longer wildcard before shorter": (route("z", "/*", hosts=("*.b.c",)), route("a", "/x", hosts=("*.c",))),
    "wildcard before any host": (route("z", "/*", hosts=("*.c",)), route("a", "/x")),
    "exact path before template": (route("z", "/users/me"), route("a", "/users/{id}", methods=("GET",))),
    "template before prefix of fewer segments": (route("z", "/a/{x}/c"), route("a", "/a/*")),
    "template before prefix of as many": (route("z", "/a/{x}"), route("a", "/a/{x}/*", "Prefix")),
    "more segments first, whatever they are": (route("z", "/{x}/{y}/*", "Prefix"), route("a", "/a/*")),
    "literal before parameter, from the left": (route("z", "/a/{x}/{y}"), route("a", "/{x}/b/c")),
    "longer prefix first": (route("z", "/a/b/*"), route("a", "/a/*")),
    "prefix before expression": (route("z", "/*"), route("a", "/a/b/c/d", "RegularExpression")),
    "longer expression first": (route("z", "/a.*b", "RegularExpression"), route("a", "/a.*", "RegularExpression")),
    "stated method before any": (
        route("z", "/", methods=("GET",)),
        route("a", "/", headers=(header("x", "1"),)),
    ),
    "more headers first": (
        route("z", "/", headers=(header("x", "1"),)),
        route("a", "/", query=(parameter("p", "1"), parameter("q", "1"))),
    ),
    "more query parameters first": (route("z", "/", query=(parameter("p", "1"),)), route("a", "/", priority=9)),
    "higher priority first": (route("z", "/", priority=1), route("a", "/")),
    "IRI last": (route("a", "/"), route("z", "/")),
}


@pytest.mark.parametrize("rule", FIRST_GOES_FIRST)
def test_order(rule: str) -> None:
    first, second = FIRST_GOES_FIRST[rule]
    for order in ((first, second), (second, first)):
        assert [entry.route for entry in compile_table(mesh(*order)).entries] == [first, second]


def test_a_template_without_parameters_is_an_exact_path() -> None:
    table = compile_table(mesh(route("a", "/a/b", "Template"), route("b", "/a/b", priority=1)))
    assert [entry.route.name for entry in table.entries] == ["ex:b", "ex:a"]
    assert table.findings[0].code == "shadowed-route"
