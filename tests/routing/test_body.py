"""Changes to JSON bodies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import RequestTransformation
from api_gateway_service_mesh.routing.body import body_change, member_error
from api_gateway_service_mesh.routing.strict_json import StrictJsonError


def changed(body: str, **more: tuple[object, ...]) -> str | None:
    change = body_change(RequestTransformation("urn:t", **more))  # type: ignore[arg-type]
    assert change is not None
    made = change(body.encode(), lambda place: place.name)
    return None if made is None else made.decode()


def test_members_are_removed_renamed_and_set_in_this_order() -> None:
    said = changed(
        '{"a": 1, "mail": "x", "list": [{"b": 1}, {"b": 2}], "z/z": {"y": 1.50}, "ö": null}',
        removes_members=("/a", "/list/1/b", "/nowhere/else"),
        renames_members=(("/mail", "email"), ("/none", "some")),
        sets_members=(
            ("/channel", '"web"'),
            ("/z~1z/x", "[1]"),
            ("/ö", "{}"),
            ("/list/0/b", "null"),
            ("/list/7/b", "1"),
        ),
    )
    assert said == ('{"email":"x","list":[{"b":null},{}],"z/z":{"y":1.5,"x":[1]},"ö":{},"channel":"web"}')


def test_a_name_that_is_taken_is_taken_over() -> None:
    assert changed('{"a":1,"b":2,"c":3}', renames_members=(("/a", "c"),)) == '{"c":1,"b":2}'
    assert changed('{"a":1}', renames_members=(("/a", "a"),)) is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_is_not_spoken_of_stays(value: object) -> None:
    body = json.dumps({"kept": value, "gone": 1})
    assert json.loads(changed(body, removes_members=("/gone",)) or "") == {"kept": value}
    assert changed(body, removes_members=("/other", "/kept/x y/0")) is None


@pytest.mark.parametrize("body", ["[1]", "1", '"a"', "null"])
def test_where_there_is_no_object_there_is_nothing_to_change(body: str) -> None:
    assert changed(body, sets_members=(("/a", "1"),), removes_members=("/0",)) is None


@pytest.mark.parametrize("body", ["", "{", '{"a":1,"a":2}', "NaN", "[" * 99])
def test_what_readers_take_differently_is_not_changed(body: str) -> None:
    with pytest.raises(StrictJsonError):
        changed(body, removes_members=("/a",))


def test_nothing_stated_costs_nothing() -> None:
    assert body_change(RequestTransformation("urn:t")) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/a=1", None),
        ('/a="b=c"', None),
        ("/a", "JSON Pointer"),
        ("a=1", "JSON Pointer"),
        ("/a=b", "is not JSON"),
        ("/a=NaN", "NaN"),
    ],
)
def test_what_is_set_is_json(value: str, said: str | None) -> None:
    error = member_error(value)
    assert error is None if said is None else error is not None and said in error
