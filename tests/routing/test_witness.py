"""Sample texts of expressions are checked by RE2; literal starts are cautious."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing.pattern import syntax_error
from api_gateway_service_mesh.routing.witness import literal_start, sample


@pytest.mark.parametrize(
    "expression",
    [
        "/a", r"/v[0-9]+/\w{3}", "/(users|orders)/[^/]+(/.*)?", r"^/a\.b$", "(?:/x){2}", "(?P<n>/y)", "/[a-c-]{2,}",
        "/a+?b*", "/(a(b|c)|d[)])e", r"/\d\D\s\S\W", "(?i)/abc", "/[]x]", "/[^a1]",
    ],
)  # fmt: skip
def test_samples(expression: str) -> None:
    text = sample(expression)
    assert text is not None
    assert re2.fullmatch(expression, text)


@given(st.text("/ab.*+?()[]{}|\\^$-12,d", max_size=12))
def test_any_expression_has_a_true_sample_or_none(expression: str) -> None:
    if syntax_error(expression) is None:
        text = sample(expression)
        assert text is None or re2.fullmatch(expression, text)


@given(st.text("/ab.*+?()[]{}|\\^$-12", max_size=12), st.text("/ab.*+?()[]{}|^$-12\\", max_size=12))
def test_every_match_begins_with_the_literal_start(expression: str, text: str) -> None:
    if syntax_error(expression) is None:
        start, whole = literal_start(expression)
        for candidate in (text, start, start + text, sample(expression) or ""):
            if re2.fullmatch(expression, candidate):
                assert candidate == start if whole else candidate.startswith(start)


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("/api/v[0-9]", ("/api/v", False)),
        ("/a/b?", ("/a/", False)),
        (r"^/a\.b$", ("/a.b", True)),
        ("/a|/b", ("", False)),
        ("(?i)/a", ("", False)),
        (r"/\d", ("/", False)),
    ],
)
def test_literal_start(expression: str, start: tuple[str, bool]) -> None:
    assert literal_start(expression) == start
