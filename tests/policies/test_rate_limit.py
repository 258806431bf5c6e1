"""Rate limits: GCRA against a bucket of tokens, and the bounds of keyed limits."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import KeyKind, RateLimit, RequestKey
from api_gateway_service_mesh.policies.cells import CellStore
from api_gateway_service_mesh.policies.key import key_hash
from api_gateway_service_mesh.policies.lock import SharedLock
from api_gateway_service_mesh.policies.rate_limit import (
    KeyedTokenBucket,
    TokenBucket,
    limiter,
    rate_limit_cells,
)
from api_gateway_service_mesh.policies.rate_limit_window import NEIGHBOURHOOD
from tests.support.clock import Clock
from tests.support.processes import in_processes

KEYED_BUCKETS = RateLimit("", 1.0, 1).key_capacity


class NaiveBucket:
    """The textbook: a count of tokens, exact, refilled before each request."""

    def __init__(self, rate: int, burst: int, now: Fraction) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = Fraction(burst), now

    def refill(self, now: Fraction) -> None:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) * self.rate)
        self.at = now

    def take(self, now: Fraction) -> bool:
        self.refill(now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def bucket(rate: float, burst: int, *, keyed: bool = False) -> TokenBucket | KeyedTokenBucket:
    limit = RateLimit("ex:limit", rate, burst, (RequestKey(KeyKind.CLIENT_ADDRESS),) if keyed else ())
    made = limiter(limit, CellStore.local(rate_limit_cells(limit)).view, 0)
    assert isinstance(made, TokenBucket | KeyedTokenBucket)
    return made


def test_a_burst_then_the_rate() -> None:
    clock, limit = Clock(), bucket(10.0, 3)
    assert [limit.take(clock()) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.take(clock()) == pytest.approx(0.1)
    clock.advance(0.05)
    assert limit.take(clock()) == pytest.approx(0.05)
    clock.advance(0.05)
    assert limit.take(clock()) == 0.0
    assert limit.take(clock()) > 0.0


def test_remaining_and_reset() -> None:
    clock, limit = Clock(), bucket(10.0, 5)
    assert (limit.remaining(clock()), limit.reset_seconds(clock())) == (5, 0.0)
    limit.take(clock())
    limit.take(clock())
    assert limit.remaining(clock()) == 3
    assert limit.reset_seconds(clock()) == pytest.approx(0.2)
    clock.advance(0.15)
    assert limit.remaining(clock()) == 4
    clock.advance(3600.0)
    assert limit.remaining(clock()) == 5, "never more than the burst"


@settings(max_examples=150, deadline=None)
@given(
    rate=st.integers(1, 500),
    burst=st.integers(1, 50),
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=120),
    keyed=st.booleans(),
)
def test_it_is_a_token_bucket(rate: int, burst: int, gaps: list[int], keyed: bool) -> None:
    # Time goes in eighths of a token's interval, plus an odd bit so that no request comes punctually on a token; the
    # one that does is the business of the next test.
    step = Fraction(1, 8 * rate)
    now = Fraction(1000) + step / 3
    machine, naive = bucket(float(rate), burst, keyed=keyed), NaiveBucket(rate, burst, now)
    for gap in gaps:
        now += gap * step + (step / 7 if gap else 0)
        naive.refill(now)
        if abs(naive.tokens - round(naive.tokens)) < Fraction(1, 100) and naive.tokens < burst:
            continue
        assert machine.remaining(float(now), 5) == math.floor(naive.tokens)
        wait = machine.take(float(now), 5)
        before = naive.tokens
        assert (wait == 0.0) == naive.take(now)
        if wait:
            assert wait == pytest.approx(float((1 - before) / rate), rel=1e-3, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    rate=st.floats(0.1, 10_000),
    burst=st.integers(1, 200),
    gaps=st.lists(st.floats(0, 2), min_size=2, max_size=150),
    uptime=st.floats(0, 1e7),
)
def test_no_window_admits_more_than_burst_and_rate(rate: float, burst: int, gaps: list[float], uptime: float) -> None:
    limit = bucket(rate, burst)
    admitted: list[float] = []
    now = uptime
    for gap in gaps:
        now += gap / rate
        if limit.take(now) == 0.0:
            admitted.append(now)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            span = admitted[last] - admitted[first]
            assert last - first + 1 <= burst + rate * span + 0.01


@pytest.mark.parametrize("rate", [1.0, 3.0, 7.0, 100.0, 333.0])
def test_a_punctual_caller_is_never_refused(rate: float) -> None:
    limit, start = bucket(rate, 1), 5_000_000.0
    assert all(limit.take(start + request / rate) == 0.0 for request in range(2000))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.booleans()), max_size=60))
def test_a_clock_set_back_grants_nothing_and_locks_nobody_out(moves: list[tuple[float, bool]]) -> None:
    clock, limit = Clock(1000.0), bucket(10.0, 5)
    for seconds, _ in moves:
        forward = seconds >= 0
        before = limit.remaining(clock())
        clock.advance(seconds)
        if not forward:
            assert limit.remaining(clock()) <= before
        assert 0 <= limit.remaining(clock()) <= 5
        assert limit.take(clock()) <= 0.1 + 1e-9, "the wait is never longer than for an empty bucket"


def test_a_limit_made_tighter_by_a_reload_starts_empty_not_in_debt() -> None:
    view, clock = CellStore.local(8).view, Clock()
    slow = TokenBucket(RateLimit("ex:limit", 1.0, 100), view, 0)
    while slow.take(clock()) == 0.0:
        pass
    fast = TokenBucket(RateLimit("ex:limit", 1000.0, 10), view, 0)
    assert fast.take(clock()) == pytest.approx(0.001)
    clock.advance(0.0011)
    assert fast.take(clock()) == 0.0
    clock.advance(0.01)
    assert fast.remaining(clock()) == 10


def test_keys_do_not_share_tokens() -> None:
    clock, limit = Clock(), bucket(1.0, 2, keyed=True)
    alice, bob = key_hash("198.51.100.1"), key_hash("198.51.100.2")
    assert [limit.take(clock(), alice) for _ in range(2)] == [0.0, 0.0]
    assert limit.take(clock(), alice) > 0.0
    assert limit.take(clock(), bob) == 0.0
    assert limit.remaining(clock(), bob) == 1
    assert limit.reset_seconds(clock(), alice) == pytest.approx(2.0)


def test_keys_that_collide_keep_their_own_buckets() -> None:
    clock, limit = Clock(), bucket(1.0, 1, keyed=True)
    keys = [7 + lap * KEYED_BUCKETS for lap in range(NEIGHBOURHOOD)]
    assert [limit.take(clock(), key) for key in keys] == [0.0] * NEIGHBOURHOOD
    assert all(limit.take(clock(), key) > 0.0 for key in keys)


def test_a_full_neighbourhood_gives_up_the_bucket_nearest_to_full() -> None:
    clock, limit = Clock(), bucket(1.0, 10, keyed=True)
    keys = [KEYED_BUCKETS - 1 + lap * KEYED_BUCKETS for lap in range(NEIGHBOURHOOD + 1)]
    for uses, key in enumerate(keys[:-1], start=2):
        for _ in range(uses):
            limit.take(clock(), key)
    limit.take(clock(), keys[-1])
    assert limit.remaining(clock(), keys[0]) == 10, "it used least; it comes back to a full bucket"
    assert [limit.remaining(clock(), key) for key in keys[1:]] == [7, 6, 5, 4, 3, 2, 1, 9]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 0.5)), min_size=20, max_size=300))
def test_a_resident_key_never_gets_more_than_burst_and_rate(requests: list[tuple[int, float]]) -> None:
    limit, now = bucket(5.0, 3, keyed=True), 100.0
    admitted: dict[int, list[float]] = {}
    for key, gap in requests:
        now += gap
        if limit.take(now, key_hash(str(key))) == 0.0:
            admitted.setdefault(key, []).append(now)
    for times in admitted.values():
        for index, first in enumerate(times):
            for count, last in enumerate(times[index:], start=1):
                assert count <= 3 + 5.0 * (last - first) + 0.01


def test_memory_stays_bounded_under_a_flood_of_keys() -> None:
    clock, limit = Clock(), bucket(1.0, 5, keyed=True)
    assert isinstance(limit, KeyedTokenBucket)
    for caller in range(3 * KEYED_BUCKETS):
        assert limit.take(clock(), key_hash(f"caller {caller}")) == 0.0
    assert KEYED_BUCKETS // 2 < limit.keys(clock()) <= KEYED_BUCKETS + NEIGHBOURHOOD
    clock.advance(10.0)
    assert limit.keys(clock()) == 0


def test_hashes_are_stored_exactly() -> None:
    near = (1 << 62) + 64
    assert float(near) == float(near + 1), "float64 cannot tell these hashes apart"
    clock, limit = Clock(), bucket(1.0, 1, keyed=True)
    for hashed in (near, near + 1, near + KEYED_BUCKETS, -near):
        assert limit.take(clock(), hashed) == 0.0
        assert limit.take(clock(), hashed) > 0.0


def test_workers_together_get_the_rate_of_one() -> None:
    store = CellStore.shared(8)
    lock = SharedLock.create()
    limit = TokenBucket(RateLimit("ex:limit", 0.001, 500), store.view, 0, lock)

    def take(worker: int) -> None:
        store.view[worker] = float(sum(limit.take(1000.0) == 0.0 for _ in range(400)))

    in_processes(take, range(1, 4))
    assert sum(store.view[1:4].tolist()) == 500.0
    store.close()


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 5), (1.0, 0)])
def test_a_limit_that_means_nothing_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        bucket(rate, burst)


def test_waits_shrink_as_time_passes() -> None:
    limit = bucket(2.0, 1)
    limit.take(10.0)
    waits = [limit.take(10.0 + step / 10) for step in range(5)]
    assert all(later < earlier for earlier, later in pairwise(waits))


def test_status_lines() -> None:
    plain, keyed = bucket(10.0, 20), bucket(2.5, 5, keyed=True)
    plain.take(1000.0)
    keyed.take(1000.0, 1)
    assert repr(plain) == "<TokenBucket ex:limit rate=10/s burst=20 tat=1000.100>"
    assert repr(keyed) == "<KeyedTokenBucket ex:limit rate=2.5/s burst=5 places=1/8192>"
