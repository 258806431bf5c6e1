"""JSON that every reader reads alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing.strict_json import StrictJsonError, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_what_is_json_is_read(value: object, ascii_only: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=ascii_only).encode(), 64) == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"1 2", "no JSON"),
        (b"\xef\xbb\xbf1", "no JSON"),
        ("1".encode("utf-16"), "UTF-8"),
        (b'"\xff"', "UTF-8"),
        (b'{"a":1,"b":{"c":1,"\\u0063":2}}', "stands twice"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"1e999", "out of range"),
        (b"9" * 5000, "digits"),
        (b"0." + b"1" * 500, "digits"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\uDFFF":1}', "surrogate"),
        (b"[" * 9 + b"]" * 9, "levels"),
        (b'{"a":' * 100_000, "levels"),
        (b'"' + b'\\"' * 200_000 + b"[" * 9, "no JSON"),
    ],
)
def test_what_is_none_is_told_without_a_quotation(body: bytes, said: str) -> None:
    with pytest.raises(StrictJsonError, match=said):
        read_json(body, 8)


def test_brackets_in_texts_are_no_levels() -> None:
    value = {"a": "[" * 50, "b": ['{"', "\\", '\\"{[']}
    assert read_json(json.dumps(value).encode(), 2) == value
    assert read_json(b'["\\ud83d\\ude00"]', 8) == ["\U0001f600"]
