"""Directives, dates, numbers: as they should be written, and as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.cache_fields import (
    LONGEST,
    cut,
    delta_seconds,
    directives,
    field_lines,
    fingerprint,
    http_date,
    one_range,
)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, {}),
        (b"", {}),
        (b"no-store", {b"no-store": None}),
        (b"No-Store ,, max-age=5", {b"no-store": None, b"max-age": b"5"}),
        (b'max-age="5"', {b"max-age": b"5"}),
        (b'ext="no-store, max-age=5"', {b"ext": b"no-store, max-age=5"}),
        (b'private="set-cookie", max-age=1', {b"private": b"set-cookie", b"max-age": b"1"}),
        (b"max-age=5, max-age=3", {b"max-age": b"3"}),
        (b"max-age=3, max-age=5", {b"max-age": b"3"}),
        (b'"', {}),
        (b'a="b', {b"a": b'"b'}),
    ],
)
def test_directives(value: bytes | None, read: dict[bytes, bytes | None]) -> None:
    assert directives(value) == read


@given(st.binary(max_size=60))
def test_no_value_breaks_them(value: bytes) -> None:
    assert all(name == name.lower() for name in directives(value))
    http_date(value)
    delta_seconds(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"5", 5), (b"005", 5), (b"-1", 0), (b"1.5", 0), (b"a", 0), (b"", 0), (None, 0), (b"9" * 40, LONGEST)],
)
def test_numbers(value: bytes | None, seconds: int) -> None:
    assert delta_seconds(value) == seconds


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        (b"Sun Nov  6 08:49:37 1994", 784111777.0),
        (b"Sun, 06 Nov 1994 08:49:37 CET", None),
        (b"Sun, 32 Nov 1994 08:49:37 GMT", None),
        (b"0", None),
        (b"", None),
    ],
)
def test_dates(value: bytes, moment: float | None) -> None:
    assert http_date(value) == moment


@given(st.integers(0, 20) | st.none(), st.integers(0, 20) | st.none(), st.integers(0, 20))
def test_what_is_cut_are_bytes_that_were_asked_for(first: int | None, last: int | None, size: int) -> None:
    bounds = one_range(f"bytes={'' if first is None else first}-{'' if last is None else last}")
    if bounds is None:
        assert (first is None and last is None) or (first is not None and last is not None and last < first)
        return
    content = bytes(range(size))
    found = cut(bounds, size)
    if first is None:
        wanted = content[max(0, size - (last or 0)) :]
    else:
        wanted = content[first:] if last is None else content[first : last + 1]
    assert (b"" if found is None else content[found[0] : found[1]]) == wanted


def test_fingerprints() -> None:
    def of(block: bytes) -> bytes:
        return fingerprint(field_lines(block), b"accept")

    assert of(b"Accept: a,b\r\n") == of(b"accept:  a , b\r\n") == of(b"Accept: a\r\nX: y\r\nAccept: b\r\n")
    assert len({of(b""), of(b"Accept: \r\n"), of(b"Accept: a\r\n"), of(b"Accept: b,a\r\n")}) == 4
    assert b"secret" not in fingerprint(field_lines(b"Authorization: secret\r\n"), b"authorization")
