"""JMESPath on bodies: what is refused when it is read, and what an evaluation may cost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing.expression import STEPS, Expression, ExpressionError, expression_error, written

jmespath = pytest.importorskip("jmespath")

MOST = 1 << 20
DOUBLED = "|".join(["[@,@]"] * 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.b[*].{c: d}", None),
        ("sort_by(items, &price)[-1]", None),
        ("map(&a, b) | [0:2] | length(@)", None),
        ("items[*", "Incomplete expression"),
        ("", "cannot be empty"),
        ("`", "Unclosed"),
        ("foo(a)", "no function foo"),
        ("length()", "takes 1 arguments, not 0"),
        ("merge()", "takes 1 arguments or more, not 0"),
        ("&a", "functions alone"),
        ("[&a]", "functions alone"),
        ("{a: &b}", "functions alone"),
        ("a || &b", "functions alone"),
        ("a" * 4097, "more than 4096 characters"),
        ("(" * 900 + "a" + ")" * 900, "nested too deeply"),
        ("!" * 60 + "a", "more than 50 levels"),
    ],
)
def test_what_can_be_read(text: str, said: str | None) -> None:
    error = expression_error(text)
    assert error is None if said is None else error is not None and said in error


@pytest.mark.parametrize(
    ("text", "document", "said"),
    [
        ("length(a)", {"a": None}, "types that the expression takes in length()"),
        ("contains(a, `1`)", {"a": "x"}, "types"),
        ("a < b", {"a": 1, "b": "x"}, "types"),
        ("[0:10:0]", [1], "types"),
        (DOUBLED, {}, "more than 1048576 bytes"),
        ("|".join(["[@,@][]"] * 40), [1], "steps"),
        (DOUBLED + "|@ == @", {}, "steps"),
        (DOUBLED + "|to_string(@)", {}, "steps"),
        (DOUBLED + "|contains(@, @)", {}, "steps"),
        ("join(',', a)", {"a": ["x" * 1000] * 1000}, "steps"),
        ("*.*[]", {str(one): {"a": [1, 2, 3]} for one in range(60_000)}, "steps"),
        ("[*][*][*]", [[[1] * 60] * 60] * 80, "steps"),
    ],
)
def test_what_costs_too_much_or_cannot_be(text: str, document: Any, said: str) -> None:
    began = time.process_time()
    with pytest.raises(ExpressionError, match=said.replace("(", r"\(").replace(")", r"\)")):
        Expression(text).apply(document, MOST)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(("text", "document"), [("to_number(a)", {"a": "1e999"}), ("sum(a)", {"a": [1e308, 1e308]})])
def test_what_is_no_json(text: str, document: Any) -> None:
    with pytest.raises(ExpressionError, match="no JSON"):
        written(Expression(text).apply(document, MOST))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
TEXTS = ["a", "a.b", "*", "a[*].b", "[]", "[][]", "a[?b]", "a[?b == c]", "{a: b, b: @}", "[a, b]", "a || b", "!a && b",
         "[0]", "[-1]", "[::2]", "a[1:]", "keys(@)", "length(@)", "sort(a)", "a | [0]", "a == b", "a != `1`", "type(a)",
         "to_string(@)", "to_array(a)", "not_null(a, b)", "contains(a, b)", "map(&a, @)", "*.a[]"]  # fmt: skip


@given(st.sampled_from(TEXTS), VALUES)
def test_within_its_bounds_it_is_the_librarys(text: str, document: Any) -> None:
    try:
        plain = jmespath.search(text, document)
    except (ValueError, TypeError):
        with pytest.raises(ExpressionError):
            Expression(text).apply(document, MOST)
    else:
        assert Expression(text).apply(document, MOST) == plain


def test_an_ordinary_body_of_a_mebibyte_is_within_the_bounds() -> None:
    items = [{"id": one, "name": f"n{one}", "price": 1.5, "tags": ["a", "b"]} for one in range(16_000)]
    assert len(json.dumps(items)) > 900_000 and 10 * len(items) < STEPS
    made = Expression("[*].{id: id, name: name}").apply(items, MOST)
    assert made[7] == {"id": 7, "name": "n7"} and len(made) == 16_000
