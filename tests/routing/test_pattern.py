"""Many expressions in one scan; a spent memory budget is not a 404."""

from __future__ import annotations

import re2
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.routing import pattern
from api_gateway_service_mesh.routing.pattern import PatternSet, syntax_error


@given(
    st.lists(st.sampled_from(["/a", "/a/.*", ".*", "(?i)/A", "/[^/]+", "b|/a", ""]), max_size=5),
    st.sampled_from(["/a", "/a/b", "", "/A", "b"]),
)
def test_it_finds_what_each_expression_alone_finds(texts: list[str], text: str) -> None:
    assert PatternSet(texts).matching(text) == [i for i, one in enumerate(texts) if re2.fullmatch(one, text)]


def test_a_spent_budget_falls_back_to_one_by_one(monkeypatch) -> None:
    monkeypatch.setattr(pattern, "_MEMORY_BYTES", 1 << 16)
    texts = [f".*x{i}.*[a-z]{{5,9}}.*y" for i in range(40)]
    text = "/" + "".join(f"x{i}abcdefghijk" for i in range(0, 40, 3)) + "y"
    expected = [i for i, one in enumerate(texts) if re2.fullmatch(one, text)]
    assert expected
    assert PatternSet(texts).matching(text) == expected


def test_bytes_that_are_no_text_are_matched_as_bytes() -> None:
    raw = b"/\xff".decode("utf-8", "surrogateescape")
    assert PatternSet(["/.", r"/\C"]).matching(raw) == [1]


def test_what_re2_has_against_an_expression() -> None:
    assert syntax_error("/a[b") is not None
    assert "missing ]" in (syntax_error("/a[b") or "")
    assert syntax_error(r"(a)\1") is not None
    assert syntax_error("/a.*") is None
