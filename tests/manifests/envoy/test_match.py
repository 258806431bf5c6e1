"""Envoy's tree finds the route that the table finds, for whatever routes and requests."""

from __future__ import annotations

import re

from hypothesis import given, settings

from api_gateway_service_mesh.manifests.envoy import resources
from api_gateway_service_mesh.model import Mesh, Route
from tests.support.match_tree import found
from tests.support.routes import Request, mesh, oracle, parameter, requests, route, route_sets

_READ_OTHERWISE = re.compile(r"\\|%00|%5c|(?:/|%2f)(?:\.|%2e){1,2}(?=/|%2f|;|%3b|\Z)|%(?![0-9a-f]{2})", re.IGNORECASE)


def configuration(of: Mesh) -> dict[str, object]:
    (only,) = resources(of).routes.values()
    return dict(only)


@settings(max_examples=100)
@given(route_sets(), requests())
def test_the_tree_finds_what_the_table_finds(routes: tuple[Route, ...], request: Request) -> None:
    taken = oracle(routes, request)
    expected = None if taken is None else taken.iri
    if _READ_OTHERWISE.search(request.path):
        expected = "malformed-target" if expected is not None else None
    seen = found(configuration(mesh(*routes)), routes, request)
    assert expected == seen or (expected is None and seen == "malformed-target")


def at(path: str, *routes: Route, **more: str) -> str | None:
    taken = found(configuration(mesh(*routes)), routes, Request(path=path, **more))
    return None if taken is None else taken.rsplit("/", 1)[1]


def test_a_longer_shape_with_a_parameter_goes_before_a_shorter_literal_prefix() -> None:
    routes = route("shape", "/a/{x}/c"), route("prefix", "/a/b/*")
    assert at("/a/b/c", *routes) == "shape"
    assert at("/a/b/d", *routes) == "prefix"
    assert at("/a/z/c", *routes) == "shape"


def test_prefixes_are_of_whole_segments() -> None:
    routes = route("a", "/a/*"), route("ab", "/ab")
    assert [at(path, *routes) for path in ("/a", "/a/", "/a/b", "/ab", "/abc")] == ["a", "a", "a", "ab", None]


def test_what_a_narrower_host_does_not_take_goes_to_a_wider_one() -> None:
    routes = route("own", "/x", hosts=("shop.example.com",), methods=("POST",)), route("any", "/*")
    assert at("/x", *routes, host="shop.example.com") == "any"
    assert at("/x", *routes, host="shop.example.com", method="POST") == "own"
    assert at("/x", *routes, host="shop.example.com.", method="POST") == "own"


def test_the_query_is_no_part_of_the_path() -> None:
    routes = route("re", "/.*/end", "RegularExpression"), route("asked", "/x", query=(parameter("q", "1"),))
    assert at("/a", *routes, query="y=/end") is None
    assert at("/x", *routes, query="q=1") == "asked"
