"""New paths, and their one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import PathKind, PathMatch, Rewrite, Route, RouteMatch
from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.routing.rewrite import normal_path, path_change, rewrite_part
from tests.support.gateway import mesh_of

PREFIX = PathMatch(PathKind.PREFIX, "/api")
TEMPLATE = PathMatch(PathKind.TEMPLATE, "/users/{id}/orders/{order}")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/a/b", "/a/b"),
        ("//evil.example/x", "/evil.example/x"),
        ("/..//evil.example", "/evil.example"),
        ("/a/../b/./c", "/b/c"),
        ("/a/..", "/"),
        ("", "/"),
        ("/a b\\c", "/a%20b%5Cc"),
        ("/a%2Fb/", "/a%2Fb/"),
        ("/é", "/%C3%A9"),
    ],
)
def test_one_normal_form(path: str, wanted: str) -> None:
    assert normal_path(path) == wanted


@given(st.text(max_size=40))
def test_a_normal_path_is_one_place_on_this_host(path: str) -> None:
    normal = normal_path(path)
    assert normal.startswith("/")
    assert not normal.startswith("//")
    assert normal.isascii()
    assert not {"..", "."} & set(normal.split("/"))
    assert not set(normal) & set(' \\?#"<>\r\n\t')
    assert normal_path(normal) == normal


@pytest.mark.parametrize(
    ("match", "rewrite", "path", "wanted"),
    [
        (PREFIX, Rewrite("urn:w", prefix="/v2"), "/api/users", "/v2/users"),
        (PREFIX, Rewrite("urn:w", prefix="/v2/"), "/api/users", "/v2/users"),
        (PREFIX, Rewrite("urn:w", prefix="/"), "/api/users", "/users"),
        (PREFIX, Rewrite("urn:w", prefix="/"), "/api", "/"),
        (PREFIX, Rewrite("urn:w", prefix="/v2"), "/api", "/v2"),
        (PREFIX, Rewrite("urn:w", prefix="/"), "/api//evil.example", "/evil.example"),
        (PREFIX, Rewrite("urn:w", full_path="/one"), "/api/users", "/one"),
        (TEMPLATE, Rewrite("urn:w", full_path="/o/{order}/of/{id}"), "/users/7/orders/9", "/o/9/of/7"),
        (PREFIX, Rewrite("urn:w", pattern="^/api/([^/]+)", substitution=r"/v2/\1"), "/api/a/api/b", "/v2/a/api/b"),
        (PREFIX, Rewrite("urn:w", pattern="[0-9]+", substitution="n"), "/api/1/2", "/api/n/n"),
        (PREFIX, Rewrite("urn:w", pattern="^/api", substitution=""), "/api", "/"),
    ],
)
def test_paths_change(match: PathMatch, rewrite: Rewrite, path: str, wanted: str) -> None:
    change = path_change(match, rewrite)
    assert change is not None
    assert change(path) == wanted


def test_a_rewrite_of_the_host_leaves_paths_alone() -> None:
    assert path_change(PREFIX, Rewrite("urn:w", host="a")) is None


@pytest.mark.parametrize(
    ("match", "rewrite", "said"),
    [
        (TEMPLATE, Rewrite("urn:w", prefix="/v2"), "matches no prefix"),
        (TEMPLATE, Rewrite("urn:w", full_path="/{name}"), "has no segment {name}"),
        (PREFIX, Rewrite("urn:w", pattern="("), "cannot be applied"),
        (PREFIX, Rewrite("urn:w", pattern="(a)", substitution=r"\2"), r"it has 1 groups, and \2 is asked for"),
    ],
)
def test_what_does_not_fit_the_route_is_refused(match: PathMatch, rewrite: Rewrite, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_table(mesh_of(Route("urn:r", "r", RouteMatch(match), rewrite=rewrite)))
    assert said in str(refused.value)


def test_explain_shows_the_new_path() -> None:
    route = Route("urn:r", "r", RouteMatch(PREFIX))
    part = rewrite_part(route, Rewrite("urn:w", host="b", prefix="/v2"), "/api/x")
    assert part.text == "host b, path /api/x -> /v2/x"
    assert [citation.object for citation in part.citations] == ["urn:w", "b", "/v2"]
