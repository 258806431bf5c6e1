"""Header and query predicates."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.routing.condition import Conditions, conditions_of, first_parameters
from tests.support.routes import header, parameter, route


def holds(r, query: str = "", **headers: str) -> bool:
    conditions = conditions_of(r)
    return isinstance(conditions, Conditions) and conditions.hold(
        {k.replace("_", "-"): v for k, v in headers.items()}, query
    )


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        (header("X-A", "1"), "1", True),
        (header("X-A", "1"), "1 ", False),
        (header("X-A", "", "Present"), "", True),
        (header("X-A", "[0-9]", "RegularExpression"), "12", False),
        (header("X-A", "[0-9]+", "RegularExpression"), "12", True),
    ],
)
def test_headers(test, value: str, expected: bool) -> None:
    assert holds(route("r", "/", headers=(test,)), x_a=value) is expected
    assert not holds(route("r", "/", headers=(test,)))


def test_query_parameters_are_decoded_and_the_first_counts() -> None:
    r = route("r", "/", query=(parameter("a b", "ü&"),))
    assert holds(r, "x&a+b=%C3%BC%26&a+b=2")
    assert not holds(r, "a+b=2&a+b=%C3%BC%26")
    assert not holds(r)
    assert first_parameters("a&b=&a=1&%zz=%ff") == {"a": "", "b": "", "%zz": "\ufffd"}


def test_a_route_without_predicates_costs_nothing() -> None:
    assert conditions_of(route("r", "/")) is None
