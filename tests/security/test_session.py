"""Sealed cookies: what is sealed comes back to us alone, for what it was sealed for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.security.session import MOST_COOKIES, Sealer, cookie_lines, joined_cookies

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 40


@given(st.binary(max_size=500), st.text("abc /:", max_size=20))
def test_what_was_sealed_comes_back_for_its_purpose_alone(data: bytes, purpose: str) -> None:
    sealed = Sealer([NEW]).seal(purpose, data)
    assert Sealer([NEW]).open(purpose, sealed) == data
    assert Sealer([NEW]).open(purpose + "x", sealed) is None
    assert Sealer([OTHER]).open(purpose, sealed) is None
    assert Sealer([NEW]).seal(purpose, data) != sealed, "no two look alike"


@given(st.binary(max_size=80), st.integers(0, 200), st.sampled_from("AZaz09-_=. "))
def test_what_was_changed_is_nothing(data: bytes, place: int, letter: str) -> None:
    sealed = Sealer([NEW]).seal("p", data)
    place %= len(sealed)
    changed = sealed[:place] + letter + sealed[place + 1 :]
    assert changed == sealed or Sealer([NEW]).open("p", changed) is None
    assert Sealer([NEW]).open("p", sealed[:place]) is None


def test_a_key_is_replaced_without_a_session_lost() -> None:
    before = Sealer([OLD]).seal("p", b"who")
    both = Sealer([NEW, OLD])
    assert both.open("p", before) == b"who"
    assert Sealer([OLD]).open("p", both.seal("p", b"who")) is None, "the first seals"
    with pytest.raises(ValueError, match="fewer than 32"):
        Sealer([b"short"])


@given(st.integers(1, MOST_COOKIES * 3600), st.integers(0, MOST_COOKIES - 1))
def test_long_values_are_cut_up_put_together_and_forgotten(size: int, more: int) -> None:
    value = ("0123456789" * 2000)[:size]
    shown = {f"s-{number}" if number else "s": "old" for number in range(more + 1)}
    for line in cookie_lines("s", value, 60, True, shown).decode().split("\r\n")[:-1]:
        name, _, rest = line.removeprefix("Set-Cookie: ").partition("=")
        kept, *flags = rest.split("; ")
        assert len(line) < 4096 and {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(flags)
        if "Max-Age=0" in flags:
            del shown[name]
        else:
            shown[name] = kept
    assert joined_cookies("s", shown) == value


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than"):
        cookie_lines("s", "x" * (MOST_COOKIES * 3600 + 1), 60, True, {})
