"""Which requests a fault strikes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Fault
from api_gateway_service_mesh.policies.fault import FaultPolicy


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_shares_are_what_is_stated(delay: float, abort: float, reset: float, truncate: float) -> None:
    policy = FaultPolicy(Fault("urn:f", 1.0, delay, 503, abort, reset_percent=reset, truncate_percent=truncate))
    comb = [(draw + 0.5) / 500 for draw in range(500)]
    assert abs(sum(map(policy.delays, comb)) - 5 * delay) <= 1
    assert abs(sum(map(policy.aborts, comb)) - 5 * abort) <= 1
    assert abs(sum(map(policy.resets, comb)) - 5 * reset) <= 1
    assert abs(sum(map(policy.truncates, comb)) - 5 * truncate) <= 1


def test_what_is_not_stated_strikes_nobody() -> None:
    assert not FaultPolicy(Fault("urn:f")).delays(0.0)
    assert not FaultPolicy(Fault("urn:f")).aborts(0.0)
    assert not FaultPolicy(Fault("urn:f")).resets(0.0)
    assert not FaultPolicy(Fault("urn:f", truncate_bytes=5)).truncates(0.0)
