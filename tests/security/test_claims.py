"""What tokens say, however strangely they say it."""

from __future__ import annotations

from typing import Any

import pytest

from api_gateway_service_mesh.security.claims import (
    claim_demand,
    claim_lines,
    date_of,
    forwarded_headers,
    holds_audience,
    scopes_of,
)


@pytest.mark.parametrize("value", ["1", True, None, float("inf"), float("nan"), 1e300, [1], {}])
def test_what_is_no_date_is_none(value: Any) -> None:
    assert date_of({"exp": value}, "exp") is None
    assert date_of({"exp": 12}, "exp") == date_of({"exp": 12.0}, "exp") == 12.0


def test_audiences_scopes_and_demands() -> None:
    assert holds_audience("a", ("a", "b")) and holds_audience(["x", "b"], ("a", "b"))
    assert (
        not holds_audience(["a", 5], ("a",)) and not holds_audience(None, ("a",)) and not holds_audience("ab", ("a",))
    )
    assert scopes_of({"scope": "a b", "scp": ["c", 5]}) == {"a", "b", "c"}
    assert claim_demand("a=b=c") == ("a", "b=c") and claim_demand("a") == ("a", None)
    assert claim_lines({"sub": "a\r\nX: y"}, forwarded_headers(["sub", "none"])) == b"X-Jwt-Claim-Sub: a%0D%0AX: y\r\n"
