"""Balancing: who is picked, who is skipped, and what moves when endpoints come and go."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import (
    Algorithm,
    Balancer,
    Endpoint,
    HashAlgorithm,
    Mesh,
    Mirror,
    PathKind,
    PathMatch,
    Route,
    RouteMatch,
    SplitTarget,
    Upstream,
)
from api_gateway_service_mesh.policies.balancer import SCAN, EndpointBalancer, make_balancer, prepare_hashes
from api_gateway_service_mesh.policies.cells import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.policies.counters import EndpointCounters
from api_gateway_service_mesh.policies.health import HealthState
from api_gateway_service_mesh.policies.key import key_hash
from api_gateway_service_mesh.policies.maglev import maglev_of
from api_gateway_service_mesh.policies.ring import ring_of
from api_gateway_service_mesh.policies.roster import EPOCH_SLOT

ROUTE = RouteMatch(PathMatch(PathKind.EXACT, "/"))


class Rig:
    """A balancer over real cells, laid out as the gateway does it."""

    def __init__(self, algorithm: Algorithm | None, weights: list[int], workers: int = 1, **more: object) -> None:
        endpoints = tuple(Endpoint(f"ex:e{n}", "127.0.0.1", 9000 + n, weight=w) for n, w in enumerate(weights))
        self.upstream = Upstream("ex:u", "u", endpoints)
        config = replace(Balancer("ex:lb", algorithm), **more) if algorithm else None  # type: ignore[arg-type]
        self.route = Route("ex:r", "r", ROUTE, upstream="ex:u", balancer=config)
        mesh = Mesh("ex:g", "g", routes=(self.route,), upstreams=(self.upstream,))
        self.store = CellStore.local(16_384)
        self.slots = layout_for(mesh, CellLayout(self.store), workers)
        self.workers = workers
        self.rng = random.Random(11)

    def balancer(self, worker: int = 0) -> EndpointBalancer:
        return make_balancer(
            self.upstream, self.route.balancer, self.store.view, self.slots, self.route, self.workers, worker
        )

    def set_health(self, index: int, state: HealthState) -> None:
        self.store.view[self.slots["health", f"ex:e{index}"]] = float(state)
        self.store.view[self.slots[EPOCH_SLOT]] += 1.0

    def counters(self, index: int, worker: int = 0) -> EndpointCounters:
        return EndpointCounters(self.store.view, self.slots["endpoint", f"ex:e{index}"], worker)

    def picks(self, balancer: EndpointBalancer, count: int) -> list[int]:
        return [balancer.pick(0.0, self.rng.random(), key_hash(str(n))) for n in range(count)]


def test_round_robin_goes_round() -> None:
    rig = Rig(Algorithm.ROUND_ROBIN, [1, 1, 1])
    assert rig.picks(rig.balancer(), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_round_robin_goes_on_where_it_was_after_a_reload() -> None:
    rig = Rig(Algorithm.ROUND_ROBIN, [1, 1, 1])
    rig.picks(rig.balancer(), 2)
    assert rig.picks(rig.balancer(), 2) == [2, 0]


def test_workers_begin_at_different_endpoints() -> None:
    rig = Rig(Algorithm.ROUND_ROBIN, [1, 1, 1], workers=2)
    assert rig.picks(rig.balancer(0), 2) == [0, 1]
    assert rig.picks(rig.balancer(1), 2) == [1, 2]


def test_weighted_is_smooth() -> None:
    rig = Rig(Algorithm.WEIGHTED, [5, 1, 1])
    assert rig.picks(rig.balancer(), 7) == [0, 0, 1, 0, 2, 0, 0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any))
def test_weighted_shares_are_exact_each_round(weights: list[int]) -> None:
    rig = Rig(Algorithm.WEIGHTED, weights)
    counts = Counter(rig.picks(rig.balancer(), sum(weights)))
    assert [counts[index] for index in range(len(weights))] == weights


def test_without_a_balancer_weights_count_when_they_differ() -> None:
    assert Rig(None, [1, 1]).balancer().algorithm is Algorithm.ROUND_ROBIN
    assert Rig(None, [1, 2]).balancer().algorithm is Algorithm.WEIGHTED


def test_least_connections_takes_the_idlest_over_all_workers() -> None:
    rig = Rig(Algorithm.LEAST_CONNECTIONS, [1, 1, 1], workers=2)
    rig.counters(0, worker=0).start()
    rig.counters(1, worker=1).start()
    assert rig.picks(rig.balancer(), 3) == [2, 2, 2]
    rig.counters(0, worker=0).finish(ok=True)
    assert set(rig.picks(rig.balancer(), 4)) == {0, 2}


def test_least_connections_breaks_ties_in_turn() -> None:
    rig = Rig(Algorithm.LEAST_CONNECTIONS, [1, 1, 1])
    assert Counter(rig.picks(rig.balancer(), 9)) == {0: 3, 1: 3, 2: 3}


def test_least_connections_respects_weights() -> None:
    rig = Rig(Algorithm.LEAST_CONNECTIONS, [3, 1])
    balancer = rig.balancer()
    for _ in range(40):
        rig.counters(balancer.pick(0.0)).start()
    assert [int(balancer.active(index)) for index in (0, 1)] == [30, 10]


def test_least_connections_of_many_takes_the_better_of_two() -> None:
    count = SCAN * 4
    rig = Rig(Algorithm.LEAST_CONNECTIONS, [1] * count)
    balancer = rig.balancer()
    for _ in range(count * 20):
        rig.counters(balancer.pick(0.0, rig.rng.random())).start()
    loads = [balancer.active(index) for index in range(count)]
    assert max(loads) - 20 <= 5, "far below the spread of one draw"


def test_least_connections_draws_two_different_ones() -> None:
    rig = Rig(Algorithm.LEAST_CONNECTIONS, [1] * (SCAN + 1))
    for _ in range(9):
        rig.counters(3).start()
    assert 3 not in rig.picks(rig.balancer(), 500)


def test_random_is_even() -> None:
    rig = Rig(Algorithm.RANDOM, [1, 1, 1, 1])
    counts = Counter(rig.picks(rig.balancer(), 4000))
    assert all(counts[index] == pytest.approx(1000, abs=120) for index in range(4))


def test_a_hash_always_finds_the_same_endpoint_in_every_worker() -> None:
    rig = Rig(Algorithm.CONSISTENT_HASH, [1] * 5, workers=2)
    assert rig.picks(rig.balancer(0), 200) == rig.picks(rig.balancer(1), 200)


@pytest.mark.parametrize("count", [2, 5, 10])
def test_adding_an_endpoint_moves_its_share_and_only_to_it(count: int) -> None:
    """The ring's promise; Maglev's is weaker, and stands in its own test."""
    before, after = Rig(Algorithm.CONSISTENT_HASH, [1] * count), Rig(Algorithm.CONSISTENT_HASH, [1] * (count + 1))
    keys = 3000
    pairs = list(zip(before.picks(before.balancer(), keys), after.picks(after.balancer(), keys), strict=True))
    moved = [new for old, new in pairs if old != new]
    assert set(moved) == {count}
    assert len(moved) / keys == pytest.approx(1 / (count + 1), rel=0.35)


def test_consistent_hash_shares_follow_weights() -> None:
    rig = Rig(Algorithm.CONSISTENT_HASH, [1, 1, 2])
    counts = Counter(rig.picks(rig.balancer(), 8000))
    assert [counts[index] / 8000 for index in range(3)] == [
        pytest.approx(0.25, abs=0.05),
        pytest.approx(0.25, abs=0.05),
        pytest.approx(0.5, abs=0.06),
    ]


def test_only_the_keys_of_an_unhealthy_endpoint_move() -> None:
    rig = Rig(Algorithm.CONSISTENT_HASH, [1] * 4)
    before = rig.picks(rig.balancer(), 500)
    rig.set_health(2, HealthState.UNHEALTHY)
    after = rig.picks(rig.balancer(), 500)
    assert 2 not in after
    assert {old for old, new in zip(before, after, strict=True) if old != new} == {2}


@settings(max_examples=150, deadline=None)
@given(
    algorithm=st.sampled_from(list(Algorithm)),
    table=st.sampled_from(list(HashAlgorithm)),
    weights=st.lists(st.integers(0, 3), max_size=12),
    unhealthy=st.integers(0, 4095),
    tried=st.integers(0, 4095),
    panic=st.sampled_from([0, 1, 50]),
    seed=st.integers(0, 1000),
)
def test_who_may_be_picked(
    algorithm: Algorithm,
    table: HashAlgorithm,
    weights: list[int],
    unhealthy: int,
    tried: int,
    panic: int,
    seed: int,
) -> None:
    rig = Rig(algorithm, weights, panic_threshold=panic, hash_algorithm=table)
    for index in range(len(weights)):
        rig.set_health(index, HealthState.UNHEALTHY if unhealthy >> index & 1 else HealthState(index % 2))
    balancer, rng = rig.balancer(), random.Random(seed)
    usable = {index for index, weight in enumerate(weights) if weight}
    healthy = {index for index in usable if not unhealthy >> index & 1}
    members = usable if panic and len(healthy) < len(usable) * panic / 100 else healthy
    left = {index for index in members if not tried >> index & 1} if tried else set()
    allowed = (left & healthy or left) or members
    for n in range(5):
        index = balancer.pick(0.0, rng.random(), key_hash(str(seed + n)), tried)
        assert (index in allowed) if allowed else (index == -1)


@pytest.mark.parametrize("algorithm", [Algorithm.ROUND_ROBIN, Algorithm.RANDOM, Algorithm.LEAST_CONNECTIONS])
def test_every_candidate_gets_its_turn(algorithm: Algorithm) -> None:
    rig = Rig(algorithm, [1, 0, 1, 1, 1])
    rig.set_health(2, HealthState.UNHEALTHY)
    counts = Counter(rig.picks(rig.balancer(), 900))
    assert set(counts) == {0, 3, 4}
    assert all(count >= 200 for count in counts.values())


def test_round_robin_past_an_unhealthy_endpoint_stays_a_round() -> None:
    rig = Rig(Algorithm.ROUND_ROBIN, [1, 1, 1, 1])
    rig.set_health(1, HealthState.UNHEALTHY)
    assert rig.picks(rig.balancer(), 6) == [0, 2, 3, 0, 2, 3]


def test_when_all_are_unhealthy_all_are_used() -> None:
    rig = Rig(Algorithm.ROUND_ROBIN, [1, 1])
    for index in (0, 1):
        rig.set_health(index, HealthState.UNHEALTHY)
    assert rig.picks(rig.balancer(), 4) == [0, 1, 0, 1]
    assert rig.balancer().pick(0.0, tried=0b01) == 1


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_when_all_were_tried_it_begins_anew(algorithm: Algorithm) -> None:
    rig = Rig(algorithm, [1, 1, 0])
    rig.set_health(1, HealthState.UNHEALTHY)
    assert rig.balancer().pick(0.0, tried=0b001) == 0, "rather the healthy one again than one known to be ill"
    rig.set_health(1, HealthState.HEALTHY)
    assert rig.balancer().pick(0.0, tried=0b001) == 1
    assert rig.balancer().pick(0.0, tried=0b011) in {0, 1}


def test_status_line() -> None:
    rig = Rig(Algorithm.WEIGHTED, [1, 2, 1])
    rig.set_health(1, HealthState.UNHEALTHY)
    rig.set_health(2, HealthState.HEALTHY)
    assert repr(rig.balancer()) == "<Weighted WEIGHTED [127.0.0.1:9000? 127.0.0.1:9001! 127.0.0.1:9002]>"


@pytest.mark.parametrize("algorithm", [HashAlgorithm.RING, HashAlgorithm.MAGLEV])
def test_hash_tables_are_made_before_a_route_is_folded(algorithm: HashAlgorithm) -> None:
    """Also those of subsets, mirrors and levels: folding happens between two requests, and a table takes its time."""
    endpoints = tuple(
        Endpoint(f"ex:{algorithm}{n}", "127.0.0.1", 9000 + n, labels=("v=1",) if n % 2 else (), zone="ab"[n % 2])
        for n in range(6)
    )
    balancer = Balancer("ex:lb", Algorithm.CONSISTENT_HASH, hash_algorithm=algorithm)
    split = Route("ex:r", "r", ROUTE, splits=(SplitTarget("ex:t", "ex:u", 100, subset=("v=1",)),), balancer=balancer)
    mirrored = Route("ex:s", "s", ROUTE, upstream="ex:u", mirrors=(Mirror("ex:m", "ex:u"),), balancer=balancer)
    mesh = Mesh("ex:g", "g", (split, mirrored), (Upstream("ex:u", "u", endpoints),), zone="a")
    store = CellStore.local(16_384)
    slots = layout_for(mesh, CellLayout(store), 1)
    prepare_hashes(mesh)
    made = [table.cache_info().misses for table in (ring_of, maglev_of)]
    for route, subset in ((split, ("v=1",)), (mirrored, ())):
        make_balancer(mesh.upstreams[0], balancer, store.view, slots, route, subset=subset, zone="a")
    assert [table.cache_info().misses for table in (ring_of, maglev_of)] == made
    assert sum(made)
