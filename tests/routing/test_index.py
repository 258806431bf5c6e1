"""One host's index: leaves by path, candidates by method, no more work than the routes' depth."""

from __future__ import annotations

from api_gateway_service_mesh.routing.entry import RouteEntry
from api_gateway_service_mesh.routing.host import ANY_HOST
from api_gateway_service_mesh.routing.index import HostGroup, Leaf
from tests.support.routes import header, route


def group(*routes) -> HostGroup:
    by_path: dict = {}
    for r in routes:
        entry = RouteEntry(r)
        by_path.setdefault(entry.path_key, []).append(entry)
    return HostGroup(ANY_HOST, by_path)


def names(leaves) -> list[str]:
    return [leaf.entries[0].route.name.removeprefix("ex:") for leaf in leaves]


def test_leaves_come_best_first() -> None:
    made = group(
        route("all", "/*"),
        route("re", "/a/.*", "RegularExpression"),
        route("p", "/a/*"),
        route("t", "/{x}/b"),
        route("u", "/a/{y}"),
        route("e", "/a/b"),
    )
    assert names(made.leaves("/a/b")) == ["e", "u", "t", "p", "all", "re"]
    assert names(made.leaves("/")) == ["all"]
    assert names(made.leaves("*")) == []
    assert names(made.all_leaves()) == ["e", "u", "t", "p", "all", "re"]


def test_open_ended_leaves_cover_all_paths_below() -> None:
    made = group(route("all", "/*"), route("p", "/a/*"), route("q", "/{x}/b/*", "Prefix"), route("t", "/a/{y}"))
    assert names(made.open_ended(["a", "b"])) == ["q", "p", "all"]
    assert names(made.open_ended([])) == ["all"]


def test_candidates_end_at_the_first_route_without_conditions() -> None:
    entries = [
        RouteEntry(r)
        for r in (
            route("h", "/", headers=(header("x", "1"),)),
            route("a", "/"),
            route("b", "/"),
            route("g", "/", methods=("GET",)),
        )
    ]
    leaf = Leaf(entries, (0, 0, (), False, "/"))
    assert [e.route.name for e in leaf["GET"]] == ["ex:g"]
    assert [e.route.name for e in leaf["HEAD"]] == ["ex:g"]
    assert [e.route.name for e in leaf["PUT"]] == ["ex:h", "ex:a"]


def test_a_path_of_thousands_of_segments_is_not_taken_apart() -> None:
    made = group(route("p", "/a/*"), route("t", "/a/{x}/c"))
    assert names(made.leaves("/a/b" + "/c" * 100_000)) == ["p"]
