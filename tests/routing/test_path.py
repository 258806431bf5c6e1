"""One path predicate on its own agrees with the index over all of them."""

from __future__ import annotations

from hypothesis import given, settings

from api_gateway_service_mesh.model import PathKind, PathMatch, Route, RouteMatch
from api_gateway_service_mesh.routing.entry import RouteEntry
from api_gateway_service_mesh.routing.host import ANY_HOST
from api_gateway_service_mesh.routing.index import HostGroup
from api_gateway_service_mesh.routing.path import ANY_SEGMENT, path_holds, path_pattern
from tests.support.routes import path_matches, requests


@settings(max_examples=80)
@given(path_matches(), requests())
def test_path_holds_says_what_the_index_says(path: PathMatch, request_) -> None:
    entry = RouteEntry(Route("urn:r", "r", RouteMatch(path)))
    group = HostGroup(ANY_HOST, {entry.path_key: [entry]})
    assert path_holds(entry.path, request_.path) == bool(group.leaves(request_.path))


def test_templates_and_prefixes_come_apart() -> None:
    template = path_pattern(PathMatch(PathKind.TEMPLATE, "/users/{id}/orders"))
    assert template.segments == ("users", ANY_SEGMENT, "orders")
    assert not template.open_ended
    open_template = path_pattern(PathMatch(PathKind.TEMPLATE, "/users/{id}/*"))
    assert (open_template.segments, open_template.open_ended) == (("users", ANY_SEGMENT), True)
    for text in ("", "/", "/*"):
        everything = path_pattern(PathMatch(PathKind.PREFIX, text))
        assert (everything.segments, everything.open_ended) == ((), True)
    for text in ("/a", "/a/", "/a/*"):
        assert path_pattern(PathMatch(PathKind.PREFIX, text)).segments == ("a",)
