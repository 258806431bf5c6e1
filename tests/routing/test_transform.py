"""What transformations make of header fields and of queries."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from api_gateway_service_mesh.routing.transform import (
    field_change,
    query_change,
    request_transformation_part,
    response_transformation_part,
)
from tests.support.gateway import route

FIELDS = b"Host: a\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\nContent-Length: 5\r\n"


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({"removes": ("x-a",)}, b"Host: a\r\nX-B: 3\r\nContent-Length: 5\r\n"),
        ({"sets": (("X-a", "9"),)}, b"Host: a\r\nX-B: 3\r\nContent-Length: 5\r\nX-a: 9\r\n"),
        ({"adds": (("X-A", "9"),)}, FIELDS + b"X-A: 9\r\n"),
        (
            {"copies": (("x-a", "X-B"),)},
            b"Host: a\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\nX-B: 1\r\nX-B: 2\r\n",
        ),
        ({"copies": (("x-none", "X-B"),)}, FIELDS),
        (
            {"copies": (("x-a", "X-C"),), "removes": ("x-a",), "sets": (("X-B", "4"),)},
            b"Host: a\r\nContent-Length: 5\r\nX-C: 1\r\nX-C: 2\r\nX-B: 4\r\n",
        ),
    ],
)
def test_fields(change: dict[str, object], made: bytes) -> None:
    found = field_change(RequestTransformation("urn:t", **change))  # type: ignore[arg-type]
    assert found is not None
    assert found(FIELDS) == made


@pytest.mark.parametrize(
    ("change", "query", "made"),
    [
        ({"removes_parameters": ("a",)}, "a=1&b=2&%61=3&a", "b=2"),
        ({"removes_parameters": ("a",)}, "", ""),
        ({"removes_parameters": ("a b",)}, "a+b=1&a%20b=2&ab=3", "ab=3"),
        ({"sets_parameters": (("a", "x&y=z #"),)}, "b=%zz&a=1", "b=%zz&a=x%26y%3Dz%20%23"),
        ({"adds_parameters": (("a", "ö"),)}, "a=1", "a=1&a=%C3%B6"),
        ({"adds_parameters": (("a", ""),)}, "", "a="),
    ],
)
def test_queries(change: dict[str, object], query: str, made: str) -> None:
    found = query_change(RequestTransformation("urn:t", **change))  # type: ignore[arg-type]
    assert found is not None
    assert found(query) == made


@given(st.text(min_size=1).filter(lambda name: not set("=&#") & set(name)), st.text(), st.text("ab=&%+1", max_size=20))
def test_a_parameter_is_one_parameter_whatever_it_holds(name: str, value: str, query: str) -> None:
    try:
        name.encode(), value.encode()
    except UnicodeEncodeError:
        return
    change = query_change(RequestTransformation("urn:t", sets_parameters=((name, value),)))
    assert change is not None
    made = change(query)
    assert made.isascii() and not set(" #\r\n\t") & set(made)
    assert [pair for pair in parse_qsl(made, keep_blank_values=True) if pair[0] == name] == [(name, value)]


def test_what_says_nothing_costs_nothing() -> None:
    empty = RequestTransformation("urn:t")
    assert field_change(empty) is None
    assert query_change(empty) is None


def test_explain_says_what_is_changed() -> None:
    asked = RequestTransformation(
        "urn:t", (("A", "b"),), (("C", "d"),), ("e",), (("f", "G"),), (("h", "i"),), (("j", "k"),), ("l",)
    )
    part = request_transformation_part(route("/x"), asked)
    assert part.text == (
        "copies f to G, removes e, sets A: b, adds C: d, removes l in the query, sets h=i in the query, adds j=k in the query"
    )
    assert [one.object for one in part.citations] == ["urn:t", "f: G", "e", "A: b", "C: d", "l", "h=i", "j=k"]
    told = response_transformation_part(route("/x"), ResponseTransformation("urn:t", removes=("server",)))
    assert told.text == "removes server"
    assert response_transformation_part(route("/x"), ResponseTransformation("urn:t")).text == "nothing"
