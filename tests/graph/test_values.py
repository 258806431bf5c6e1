"""Lexical forms and the order of values (XSD 1.1 part 2, SPARQL 1.1 section 17.3)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode

from api_gateway_service_mesh.graph.terms import XSD
from api_gateway_service_mesh.graph.values import canonical, compare, comparer, day_time_seconds, is_lexical

VALID = {
    "integer": ["0", "-5", "+05", "9" * 50],
    "byte": ["-128", "127"],
    "unsignedByte": ["255"],
    "nonNegativeInteger": ["0"],
    "positiveInteger": ["1"],
    "negativeInteger": ["-1"],
    "decimal": ["1", "1.5", ".5", "-1.", "+0.0"],
    "double": ["1e5", "INF", "-INF", "NaN", "1.5E-3", "5"],
    "boolean": ["true", "false", "1", "0"],
    "dateTime": ["2026-02-28T23:59:59Z", "2024-02-29T00:00:00.5+14:00", "2026-01-01T24:00:00"],
    "dateTimeStamp": ["2026-01-01T00:00:00Z"],
    "date": ["2026-12-31", "2026-12-31+01:00"],
    "time": ["23:59:59.999"],
    "duration": ["P1Y2M3DT4H5M6.7S", "-P1M", "PT0S"],
    "dayTimeDuration": ["PT5S", "P1D", "-P1DT2H", "PT0.5S"],
    "yearMonthDuration": ["P1Y", "P13M"],
    "anyURI": ["http://e/x", "a"],
    "hexBinary": ["", "0aFF"],
    "language": ["en", "en-GB"],
    "string": ["", "anything"],
}
INVALID = {
    "integer": ["", "2s", "1.0", "1e3", " 1", "--1"],
    "byte": ["128"],
    "unsignedByte": ["-1", "256"],
    "nonNegativeInteger": ["-1"],
    "positiveInteger": ["0"],
    "decimal": ["", ".", "1e3", "INF"],
    "double": ["", "inf", "e5"],
    "boolean": ["True", "yes", "2"],
    "dateTime": ["2026-02-30T00:00:00Z", "2026-01-01", "2026-13-01T00:00:00", "2026-01-01T25:00:00"],
    "dateTimeStamp": ["2026-01-01T00:00:00"],
    "date": ["2026-02-29", "26-01-01"],
    "time": ["24:00:01", "1:00:00"],
    "duration": ["P", "PT", "5s", "P1S", "1D"],
    "dayTimeDuration": ["P1M", "P1Y", "P", "PT", "P1DT", "5s"],
    "yearMonthDuration": ["P1D", "P"],
    "anyURI": ["a b", "<x>"],
    "hexBinary": ["0"],
    "language": ["en_GB", ""],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in VALID.items() for text in texts])
def test_valid(name: str, text: str) -> None:
    assert is_lexical(text, XSD + name)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in INVALID.items() for text in texts])
def test_invalid(name: str, text: str) -> None:
    assert not is_lexical(text, XSD + name)


def test_unknown_datatypes_take_any_text() -> None:
    assert is_lexical("anything", "urn:mine")


def typed(text: str, name: str) -> Literal:
    return Literal(text, datatype=NamedNode(XSD + name))


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        (typed("1", "integer"), typed("1.0", "decimal"), 0),
        (typed("1", "byte"), typed("1.5", "double"), -1),
        (typed("INF", "double"), typed("9" * 40, "integer"), 1),
        (typed("PT60S", "dayTimeDuration"), typed("PT1M", "duration"), 0),
        (typed("-PT1S", "dayTimeDuration"), typed("PT0S", "dayTimeDuration"), -1),
        (typed("2026-01-01T01:00:00+01:00", "dateTime"), typed("2026-01-01T00:00:00Z", "dateTime"), 0),
        (typed("2026-01-02", "date"), typed("2026-01-01", "date"), 1),
        (Literal("a"), Literal("b"), -1),
        (typed("false", "boolean"), typed("1", "boolean"), -1),
        (typed("NaN", "double"), typed("1", "integer"), None),
        (typed("1", "integer"), Literal("1"), None),
        (typed("2s", "integer"), typed("1", "integer"), None),
        (typed("P1M", "duration"), typed("P30D", "duration"), None),
        (typed("2026-01-01T00:00:00", "dateTime"), typed("2026-01-01T00:00:00Z", "dateTime"), None),
        (Literal("a", language="en"), Literal("b", language="en"), None),
        (NamedNode("urn:a"), NamedNode("urn:a"), None),
    ],
)
def test_order(left: Literal, right: Literal, order: int | None) -> None:
    assert compare(left, right) == order
    assert comparer(right)(left) == order
    assert compare(right, left) == (None if order is None else -order)


@given(st.integers(), st.integers())
def test_integers_are_ordered_as_numbers(one: int, two: int) -> None:
    assert compare(typed(str(one), "integer"), typed(str(two), "decimal")) == (one > two) - (one < two)


def test_seconds_of_a_duration() -> None:
    assert day_time_seconds("P1DT1H1M1.5S") == Decimal("90061.5")
    assert day_time_seconds("-PT1M") == -60
    assert day_time_seconds("P1M") is None


def test_the_spelling_of_the_store() -> None:
    assert canonical(typed("005", "integer")) == "5"
    assert canonical(typed("2s", "integer")) == "2s"
