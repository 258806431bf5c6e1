"""The folded tree says what a comparison segment by segment says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing.path import ANY_SEGMENT
from api_gateway_service_mesh.routing.tree import PathTree

_SEGMENT = st.sampled_from(["", "a", "b", "c"])
_STATED = st.lists(st.sampled_from(["", "a", "b", "c", ANY_SEGMENT]), min_size=1, max_size=5).map(tuple)
_PLACES = st.sets(st.tuples(_STATED, st.booleans()), max_size=12)

Place = tuple[tuple[str, ...], bool]


def planted(places: set[Place]) -> PathTree[Place]:
    tree: PathTree[Place] = PathTree()
    for segments, open_ended in sorted(places):
        tree.add((segments, open_ended), segments, open_ended=open_ended)
    tree.fold()
    return tree


def holds(stated: tuple[str, ...], segments: list[str]) -> bool:
    """Whether a path begins like `stated`."""
    return len(stated) <= len(segments) and all(
        segment != "" if wanted == ANY_SEGMENT else segment == wanted
        for wanted, segment in zip(stated, segments, strict=False)
    )


@given(_PLACES, st.lists(_SEGMENT, min_size=1, max_size=9))
def test_what_holds_for_a_path(places: set[Place], segments: list[str]) -> None:
    wanted = {
        (stated, open_ended)
        for stated, open_ended in places
        if holds(stated, segments) and (open_ended or len(stated) == len(segments))
    }
    found = planted(places).holding("/" + "/".join(segments))
    assert len(found) == len(set(found))
    assert set(found) == wanted


@given(_PLACES, st.lists(_SEGMENT, max_size=6))
def test_what_holds_for_all_below(places: set[Place], segments: list[str]) -> None:
    wanted = {(stated, True) for stated, open_ended in places if open_ended and holds(stated, segments)}
    assert set(planted(places).open_ended(segments)) == wanted


def test_no_path_at_all() -> None:
    tree = planted({(("a",), True)})
    assert tree.holding("*") == []
    assert tree.holding("") == []
    assert planted(set()).holding("/a") == []


def test_thousands_of_levels_that_part_are_walked() -> None:
    deep = {(("a",) * depth + (ANY_SEGMENT,), True) for depth in range(0, 3000, 2)}
    assert len(planted(deep).holding("/a" * 4000)) == len(deep)
