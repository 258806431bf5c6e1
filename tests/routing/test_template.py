"""Templates: what is refused when one is read, and that no value changes what a document is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing.expression import ExpressionError
from api_gateway_service_mesh.routing.template import (
    ANSWER_PLACES,
    OWN_PLACES,
    REQUEST_PLACES,
    Place,
    Template,
    member,
    template_error,
)

MOST = 1 << 20


def filled(text: str, values: dict[str, Any], *, is_json: bool = True, most: int = MOST) -> bytes:
    def value(place: Place) -> Any:
        return values.get(f"{place.kind}.{place.name}")

    return Template(text, REQUEST_PLACES, is_json=is_json).fill(value, most)


def test_a_place_alone_is_the_value_and_within_a_text_it_is_written_out() -> None:
    text = '{"id": "${query.a}", "text": "no ${query.a}, ${body/b}${query.none}!", "as it stands": "$${query.a} $5 }{"}'
    made = json.loads(filled(text, {"query.a": 7, "body./b": {"c": [True]}}))
    assert made == {"id": 7, "text": 'no 7, {"c":[true]}!', "as it stands": "${query.a} $5 }{"}
    assert filled('["${query.none}"]', {}) == b"[null]"
    assert filled("a ${query.a}\nb", {"query.a": "1\r\n2\u2028\x00"}, is_json=False) == b"a 1  2  \nb"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": "${path.id}"}', None),
        ('"${header.X-A} ${claim.https://a.example/b} ${request.host}"', None),
        ('{"a": ${path.id}}', "not JSON"),
        ('{"${path.id}": 1}', "name of a member"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ('["${path.id"]', "has no end"),
        ('["${path}"]', "nothing of the name"),
        ('["${request.cookie}"]', "nothing of the name"),
        ('["${env.HOME}"]', "nothing of the name"),
        ('["${path.id.__class__}"]', None),  # a name like any other, and nothing is there
        ('["${{path.id}}"]', "has no end"),
        ('["${status}"]', "not to be had here"),
        ("[" * 99 + "]" * 99, "levels"),
    ],
)
def test_what_can_be_read(text: str, said: str | None) -> None:
    error = template_error(text, REQUEST_PLACES)
    assert error is None if said is None else error is not None and said in error


def test_what_there_is_where() -> None:
    assert template_error('["${body/a}"]', OWN_PLACES) is not None
    assert template_error('["${claim.sub}"]', ANSWER_PLACES) is not None
    assert template_error('["${status} ${body}"]', ANSWER_PLACES) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
HOSTILE = st.sampled_from(
    ['"', '"},{"', "\\", '\\"', "${claim.sub}", "\ud800", "\x00\n", "</script>", "]", "{", "\u2028"]
)


@given(st.lists(HOSTILE | st.text(), min_size=2, max_size=2), VALUES)
def test_no_value_changes_the_structure(texts: list[str], value: Any) -> None:
    text = '{"a": "${query.a}", "b": ["x ${query.b} y", {"c": "${body/c}"}], "d": "q\\"${query.a}\\"", "e": 1}'
    made = json.loads(filled(text, {"query.a": texts[0], "query.b": texts[1], "body./c": value}))
    assert made == {
        "a": texts[0], "b": [f"x {texts[1]} y", {"c": value}], "d": f'q"{texts[0]}"', "e": 1,
    }  # fmt: skip


@given(HOSTILE | st.text() | VALUES)
def test_no_value_makes_a_line_of_plain_text(value: Any) -> None:
    made = filled("first: ${query.a}\nlast", {"query.a": value}, is_json=False).decode()
    assert made.startswith("first: ") and made.endswith("\nlast") and len(made.splitlines()) == 2


def test_what_would_be_too_large() -> None:
    text = json.dumps(["${query.a}"] * 100)
    with pytest.raises(ExpressionError, match="more than 1000 bytes"):
        filled(text, {"query.a": "x" * 100}, most=1000)
    with pytest.raises(ExpressionError, match="more than 1000 bytes"):
        filled("${query.a}" * 100, {"query.a": "x" * 100}, is_json=False, most=1000)
    with pytest.raises(ExpressionError, match="no JSON"):
        filled('["${query.a}"]', {"query.a": float("nan")})


@pytest.mark.parametrize(
    ("tokens", "found"),
    [((), {"a": [1, {"b": 2}]}), (("a", "1", "b"), 2), (("a", "9"), None), (("a", "x"), None), (("z", "y"), None),
     (("a", "9" * 5000), None), (("a", "٣"), None), (("a", "-1"), None)],
)  # fmt: skip
def test_members_by_pointer(tokens: tuple[str, ...], found: Any) -> None:
    assert member({"a": [1, {"b": 2}]}, tokens) == found
