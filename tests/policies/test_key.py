"""Keys: hashes that are the same everywhere, and hard to aim at."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.policies.key import key_hash, unit_interval

SIGNED_64 = st.integers(-(1 << 63), (1 << 63) - 1)


def test_the_hash_of_a_key_is_fixed() -> None:
    assert key_hash("198.51.100.7") == key_hash(b"198.51.100.7") == 3388337531099510647


def test_another_process_finds_the_same_hash() -> None:
    program = "from api_gateway_service_mesh.policies.key import key_hash; print(key_hash('tenant-a'))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert int(printed) == key_hash("tenant-a")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=())) | st.binary())
def test_any_key_has_a_hash_that_fits_a_cell(key: str | bytes) -> None:
    # Bytes of a header that are no UTF-8 reach a policy as surrogates.
    assert -(1 << 63) <= key_hash(key) < 1 << 63


@settings(max_examples=100, deadline=None)
@given(SIGNED_64)
def test_a_hash_is_a_number_below_one(hashed: int) -> None:
    assert 0.0 <= unit_interval(hashed) < 1.0


def test_the_numbers_are_even() -> None:
    tenths = Counter(int(unit_interval(key_hash(f"caller-{n}")) * 10) for n in range(10_000))
    assert all(tenths[tenth] == pytest.approx(1000, abs=120) for tenth in range(10))
