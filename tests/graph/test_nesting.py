"""The depth scan: knows strings, IRIs and comments, and cannot be fooled into passing what the parser would nest."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.graph.nesting import TooDeep, check_depth


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100 + "]" * 100,
        "[] " * 500,
        '"' + "[" * 500 + '"',
        '"""' + '[\n"' * 500 + '"""',
        "'" + "(" * 500 + "'",
        "<http://e/" + "(" * 500 + ">",
        "# " + "[" * 500 + "\n[]",
        '"\\"' + "[" * 500 + '"',
    ],
)
def test_passes(text: str) -> None:
    check_depth(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 101,
        "(" * 101 + ")" * 101,
        "<<" * 101,
        "<<(" * 101,
        "{|" * 101,
        '"open \n' + "[" * 101,
        "'open \n" + "[" * 101,
        "<open " + "[" * 101,
        '"closed" ' + "[" * 101,
        '"""closed""" ' + "[" * 101,
        "# comment\r" + "[" * 101,
        "]" * 500 + "[" * 101,
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(TooDeep):
        check_depth(text)


def test_json_has_its_own_strings() -> None:
    check_depth('{"a": "' + "[" * 500 + '"}', json=True)
    with pytest.raises(TooDeep) as refused:
        check_depth('{"a":' * 101, json=True)
    assert refused.value.offset == 500
