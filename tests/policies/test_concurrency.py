"""Adaptive concurrency against a simulated backend, the clock moved by hand."""

from __future__ import annotations

import heapq
import random

import pytest

from api_gateway_service_mesh.model import AdaptiveConcurrency, RequestPriority
from api_gateway_service_mesh.policies import CellStore, SharedLock
from api_gateway_service_mesh.policies.concurrency import (
    SHARES,
    ConcurrencyLimit,
    clear_in_use,
    concurrency_cells,
)
from tests.support.processes import in_processes

HIGH, LOW = SHARES[RequestPriority.HIGH], SHARES[RequestPriority.LOW]


def machine(workers: int = 1, **more: object) -> tuple[memoryview, list[ConcurrencyLimit]]:
    config = AdaptiveConcurrency("ex:c", **more)  # type: ignore[arg-type]
    view = CellStore.local(concurrency_cells(workers)).view
    return view, [ConcurrencyLimit(config, view, 0, workers, worker) for worker in range(workers)]


class Backend:
    """Serves `places` requests at once in `seconds` each; the others queue. Whoever waits longer than `patience` has
    gone away by the time of the answer, which was then in vain."""

    def __init__(self, places: int, seconds: float, patience: float) -> None:
        self.free = [0.0] * places
        self.seconds, self.patience = seconds, patience

    def answers_at(self, now: float, spread: float) -> float:
        begins = max(now, heapq.heappop(self.free))
        ends = begins + self.seconds * spread
        heapq.heappush(self.free, ends)
        return ends


def simulate(
    limit: ConcurrencyLimit | None, backend: Backend, rate: float, seconds: float, shares: tuple[float, ...] = (HIGH,)
) -> dict[str, list[float]]:
    """Requests at `rate`; each answer in time counts as good, by the share it came with."""
    rng = random.Random(7)
    now, answers = 1000.0, []
    good: dict[str, list[float]] = {str(share): [] for share in shares}
    end = now + seconds
    while now < end:
        now += rng.expovariate(rate)
        while answers and answers[0][0] <= now:
            at, began, _, share = heapq.heappop(answers)
            if limit is not None:
                limit.release()
                limit.sample(at, at - began)
            if at - began <= backend.patience:
                good[str(share)].append(at)
        share = rng.choice(shares)
        if limit is None or limit.admit(now, share):
            heapq.heappush(answers, (backend.answers_at(now, rng.uniform(0.8, 1.2)), now, rng.random(), share))
    return good


def late_half(times: list[float], seconds: float) -> float:
    """Per second, in the second half."""
    return sum(at > 1000.0 + seconds / 2 for at in times) / (seconds / 2)


def test_goodput_stays_up_at_three_times_what_the_backend_can() -> None:
    capacity = 20 / 0.05  # 400 a second
    without = simulate(None, Backend(20, 0.05, 0.25), 3 * capacity, 20.0)
    assert late_half(without[str(HIGH)], 20.0) < 0.1 * capacity, "all answers come too late"
    _, (limit,) = machine()
    with_limit = simulate(limit, Backend(20, 0.05, 0.25), 3 * capacity, 20.0)
    assert late_half(with_limit[str(HIGH)], 20.0) > 0.85 * capacity
    assert limit.refused > 0


def test_the_limit_converges_and_the_baseline_does_not_drift() -> None:
    _, (limit,) = machine(baseline_seconds=3.0)
    seen = []
    backend = Backend(20, 0.05, 1.0)
    for _ in range(12):  # of three seconds each: a dozen baseline periods under overload
        simulate_on(limit, backend, seen)
    assert all(0.035 < baseline < 0.085 for _, baseline in seen), seen
    assert all(18 <= found <= 60 for found, _ in seen[3:]), seen


def simulate_on(limit: ConcurrencyLimit, backend: Backend, seen: list[tuple[float, float]]) -> None:
    rng = random.Random(len(seen))
    now = max(1000.0 + 3.0 * len(seen), 1000.0)
    answers: list[tuple[float, float]] = []
    end = now + 3.0
    while now < end or answers:
        now += rng.expovariate(1200.0)
        while answers and answers[0][0] <= now:
            at, began = heapq.heappop(answers)
            limit.release()
            limit.sample(at, at - began)
        if now < end and limit.admit(now, HIGH):
            heapq.heappush(answers, (backend.answers_at(now, rng.uniform(0.8, 1.2)), now))
    seen.append((limit.limit, limit.baseline))


def test_it_grows_where_there_is_room_and_only_while_it_is_used() -> None:
    _, (limit,) = machine()
    before = limit.limit
    simulate(limit, Backend(2000, 0.02, 1.0), 50.0, 10.0)
    assert limit.limit <= before + 1, "one request at a time says nothing about fifty"
    simulate(limit, Backend(2000, 0.02, 1.0), 5000.0, 6.0)
    assert limit.limit > 60


def test_a_slower_backend_shrinks_it() -> None:
    _, (limit,) = machine()
    simulate(limit, Backend(100, 0.02, 1.0), 3000.0, 5.0)
    wide = limit.limit
    for step in range(400):
        limit.sample(1005.0 + step * 0.02, 0.5)
    assert limit.limit < wide / 2
    assert limit.limit >= limit.config.minimum


def test_the_lowest_priority_is_refused_first() -> None:
    _, (limit,) = machine()
    good = simulate(limit, Backend(20, 0.05, 0.25), 900.0, 20.0, (HIGH, LOW))
    high, low = late_half(good[str(HIGH)], 20.0), late_half(good[str(LOW)], 20.0)
    assert high > 2 * low, (high, low)


def test_there_is_always_room_for_one() -> None:
    _, (limit,) = machine(minimum=1, maximum=1)
    assert limit.admit(1000.0, LOW)
    assert not limit.admit(1000.0, HIGH)
    limit.release()
    assert limit.admit(1000.0, LOW)


def test_workers_share_one_limit_and_a_crash_gives_back_its_places() -> None:
    view, (one, other) = machine(2, minimum=5, maximum=5)
    assert sum(which.admit(1000.0, 1.0) for _ in range(5) for which in (one, other)) == 5
    assert one.in_use == 5
    clear_in_use(view, 0, 0)
    assert other.in_use == 2
    assert other.refused == 5


def test_processes_never_have_more_places_than_there_are() -> None:
    places, config = 5, AdaptiveConcurrency("ex:c", minimum=5, maximum=5)
    store = CellStore.shared(64 + concurrency_cells(3))
    lock = SharedLock.create()
    machines = [ConcurrencyLimit(config, store.view, 64, 3, worker, lock) for worker in range(3)]

    def work(worker: int) -> None:
        limit, most, admitted = machines[worker], 0.0, 0
        for _ in range(3000):
            held = sum(limit.admit(1000.0, 1.0) for _ in range(3))
            most = max(most, limit.in_use)
            for _ in range(held):
                limit.release()
            admitted += held
        store.view[worker] = most
        store.view[8 + worker] = float(admitted)

    in_processes(work, range(3))
    assert max(store.view[0:3].tolist()) <= places
    assert min(store.view[8:11].tolist()) > 0
    assert machines[0].in_use == 0.0
    store.close()


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_jumps_does_not_stop_it(seconds: float) -> None:
    _, (limit,) = machine()
    for step in range(100):
        limit.sample(5000.0 + step * 0.02, 0.02)
    for step in range(200):
        limit.sample(5000.0 + seconds + step * 0.02, 0.4)
    assert limit.limit < 15


def test_status_line() -> None:
    assert repr(machine()[1][0]) == "<ConcurrencyLimit ex:c 0 of 20.0>"
