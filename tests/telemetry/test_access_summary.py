"""What lines say together, and that no line, however odd, ends the reading."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.telemetry.access_summary import summarized

odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(("route", "status", "duration_ms", "refused_by", "time", "x"))


@given(st.lists(st.binary(max_size=30) | st.dictionaries(names, odd).map(lambda said: json.dumps(said).encode())))
def test_any_line_can_be_read(lines: list[bytes]) -> None:
    found = summarized(lines)
    assert sum(route.requests for route in found.routes.values()) + found.skipped <= len(lines)
    assert found.seconds >= 1.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_quantiles_are_of_what_was_measured(taken: list[float]) -> None:
    lines = [json.dumps({"route": "r", "status": 200, "duration_ms": each}).encode() for each in taken]
    (route,) = summarized(lines).routes.values()
    assert route.quantile(1.0) == max(taken) / 1000.0
    assert route.quantile(0.5) <= route.quantile(0.99)
