"""Paths of others in agw's words."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.importers.path import UnsayableError, exact, expression, prefix, stated


def test_what_stands_in_turtle() -> None:
    assert stated(exact("/a/b")) == ("/a/b", None)
    assert stated(exact("/a/*")) == ("/a/*", "Exact")
    assert stated(exact("/a/{id}")) == ("/a/{id}", "Exact")
    assert stated(exact("/a*b")) == ("/a\\*b", "RegularExpression")
    assert stated(prefix("/a/")) == ("/a/*", None)
    assert stated(prefix("/")) == ("/*", None)
    assert stated(prefix("/a/{x}")) == ("/a/\\{x\\}(/.*)?", "RegularExpression")
    assert stated(expression("/v[0-9]+")) == ("/v[0-9]+", "RegularExpression")


def test_expressions_that_are_templates_become_them() -> None:
    assert stated(expression("/users/[^/]+")) == ("/users/{p1}", None)
    assert stated(expression("/a\\.b/[^/]+/c/[^/]+(/.*)?")) == ("/a.b/{p1}/c/{p2}/*", None)
    for text in ("/a/x[^/]+", "/a/[^/]+/", "/a/[^/]+/.*", "/\\d/[^/]+", "/a|/[^/]+"):
        assert stated(expression(text))[1] == "RegularExpression", text


@pytest.mark.parametrize("text", ["a", "", "/a b", "/a?b", "/a#b", "/é", "/a//b", "/a/../b", "/%zz"])
def test_paths_that_no_request_has_are_told(text: str) -> None:
    with pytest.raises(UnsayableError):
        exact(text)


def test_expressions_that_re2_does_not_know_are_told() -> None:
    with pytest.raises(UnsayableError, match="RE2"):
        expression("/a(?=b)")
