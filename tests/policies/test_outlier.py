"""Ejection: who is thrown out, for how long, and how many at most; over workers as over one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Endpoint, Mesh, OutlierDetection, Upstream
from api_gateway_service_mesh.policies.cells import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.policies.health import HealthState, read_ejection
from api_gateway_service_mesh.policies.outlier import OutlierDetector, detector
from api_gateway_service_mesh.policies.roster import EPOCH_SLOT

CONFIG = OutlierDetection("ex:od", base_ejection_seconds=30.0, maximum_ejection_seconds=100.0)


class Ward:
    """A service of some endpoints, judged by some workers."""

    def __init__(self, count: int, config: OutlierDetection = CONFIG, workers: int = 1, **weights: int) -> None:
        ends = tuple(Endpoint(f"ex:e{n}", "h", 80, weight=weights.get(f"e{n}", 1)) for n in range(count))
        upstream = Upstream("ex:u", "u", ends, outlier=config)
        self.store = CellStore.local(4096)
        self.slots = layout_for(Mesh("ex:g", "g", upstreams=(upstream,)), CellLayout(self.store), workers)
        made = [
            detector(upstream, self.store.view, self.slots, workers=workers, worker=worker) for worker in range(workers)
        ]
        self.judges: list[OutlierDetector] = [judge for judge in made if judge is not None]

    def answer(self, index: int, status: int, now: float = 0.0, times: int = 1, worker: int = 0) -> list[int]:
        out: list[int] = []
        for _ in range(times):
            out += self.judges[worker].record(index, status, status > 0, now)
        return out

    def until(self, index: int) -> float:
        return read_ejection(self.store.view, self.slots["health", f"ex:e{index}"])[0]

    def times(self, index: int) -> int:
        return read_ejection(self.store.view, self.slots["health", f"ex:e{index}"])[1]


@pytest.mark.parametrize("status", [500, 503, 0])
def test_errors_in_a_row_eject_and_balancers_are_told(status: int) -> None:
    ward = Ward(3)
    epoch = ward.store.view[ward.slots[EPOCH_SLOT]]
    assert ward.answer(1, status, 10.0, times=4) == []
    assert ward.answer(1, status, 10.0) == [1]
    assert (ward.until(1), ward.times(1)) == (40.0, 1)
    assert ward.store.view[ward.slots[EPOCH_SLOT]] == epoch + 1


def test_a_good_answer_ends_the_row() -> None:
    ward = Ward(3)
    for status in (500, 500, 500, 500, 404, 500, 500, 500, 500):
        assert ward.answer(1, status) == []


def test_gateway_errors_count_apart() -> None:
    ward = Ward(3, replace(CONFIG, consecutive_errors=0, consecutive_gateway_errors=2))
    assert ward.answer(0, 500, times=9) == []
    assert ward.answer(0, 502) == []
    assert ward.answer(0, 500) == []  # ends the row of gateway errors
    assert ward.answer(0, 503) == []
    assert ward.answer(0, 0) == [0]


def test_rows_are_one_over_workers() -> None:
    ward = Ward(3, workers=3)
    for turn in range(4):
        assert ward.answer(1, 500, worker=turn % 3) == []
    assert ward.answer(1, 200, worker=2) == []
    for turn in range(4):
        assert ward.answer(1, 500, worker=turn % 3) == []
    assert ward.answer(1, 500, worker=1) == [1]


def test_each_ejection_in_a_row_is_longer_up_to_the_maximum_and_good_times_count_it_down() -> None:
    ward, now, lengths = Ward(3), 0.0, []
    for _ in range(5):
        ward.answer(0, 500, now, times=5)
        lengths.append(ward.until(0) - now)
        now = ward.until(0)
    assert lengths == [30.0, 60.0, 90.0, 100.0, 100.0]
    now += 2 * CONFIG.interval_seconds
    ward.answer(0, 500, now, times=5)
    assert ward.until(0) - now == 100.0  # 5 - 2 + 1: four times the base, above the maximum
    now = ward.until(0) + 5 * CONFIG.interval_seconds
    ward.answer(0, 500, now, times=5)
    assert ward.until(0) - now == 30.0


def test_answers_that_were_under_way_change_nothing() -> None:
    ward = Ward(3)
    ward.answer(0, 500, 1.0, times=5)
    assert ward.answer(0, 500, 2.0, times=20) == []
    assert (ward.until(0), ward.times(0)) == (31.0, 1)


def test_no_more_than_the_percentage_and_never_the_last() -> None:
    ward = Ward(4)
    for index in range(4):
        ward.answer(index, 500, times=5)
    assert [ward.times(index) for index in range(4)] == [1, 1, 0, 0]
    two = Ward(2, replace(CONFIG, maximum_ejection_percent=100))
    two.answer(0, 500, times=5)
    two.answer(1, 500, times=50)
    assert (two.times(0), two.times(1)) == (1, 0)
    none = Ward(3, replace(CONFIG, maximum_ejection_percent=0))
    assert none.answer(0, 500, times=50) == []


def test_the_last_that_its_probes_find_well_is_not_ejected() -> None:
    ward = Ward(3, replace(CONFIG, maximum_ejection_percent=100))
    for index in (1, 2):
        ward.store.view[ward.slots["health", f"ex:e{index}"]] = float(HealthState.UNHEALTHY)
    assert ward.answer(0, 500, times=50) == []


def test_endpoints_without_weight_do_not_count() -> None:
    ward = Ward(2, e1=0)
    assert ward.answer(0, 500, times=50) == []


COMPARE = replace(CONFIG, consecutive_errors=0, minimum_hosts=3, minimum_requests=10)


def test_a_success_rate_far_below_the_others_ejects() -> None:
    ward = Ward(6, replace(COMPARE, success_rate_factor=1.9), workers=2)
    ward.answer(0, 200, 0.0)  # the first interval begins
    for index in range(6):
        ward.answer(index, 200, 1.0, times=60 if index == 3 else 100, worker=index % 2)
        ward.answer(index, 500, 1.0, times=40 if index == 3 else 1, worker=1)
    assert ward.answer(0, 200, 9.9) == []
    assert ward.answer(0, 200, 10.0) == [3]


def test_a_percentage_of_failures_ejects_the_worst_first() -> None:
    ward = Ward(4, replace(COMPARE, failure_percentage=50, maximum_ejection_percent=25))
    ward.answer(0, 200, 0.0)
    for index, bad in enumerate((0, 12, 18, 2)):
        ward.answer(index, 500, 1.0, times=bad)
        ward.answer(index, 200, 1.0, times=20 - bad)
    assert ward.answer(0, 200, 10.0) == [2]


def test_too_few_requests_or_hosts_compare_nothing() -> None:
    for hosts, requests in ((5, 10), (3, 100)):
        config = replace(COMPARE, failure_percentage=50, minimum_hosts=hosts, minimum_requests=requests)
        ward = Ward(4, config)
        ward.answer(0, 200, 0.0)
        for index in range(4):
            ward.answer(index, 500, 1.0, times=20)
        assert ward.answer(0, 500, 10.0) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 200, 500, 503]), st.floats(0, 20)), max_size=150),
    st.integers(0, 100),
)
def test_never_too_many_are_out(answers: list[tuple[int, int, float]], percent: int) -> None:
    config = replace(
        CONFIG, consecutive_errors=2, maximum_ejection_percent=percent, failure_percentage=60, minimum_hosts=2,
        minimum_requests=3, interval_seconds=5.0,
    )  # fmt: skip
    ward, now = Ward(5, config), 1.0
    for index, status, pause in answers:
        now += pause
        ward.answer(index, status, now)
        out = sum(ward.until(n) > now for n in range(5))
        assert out <= min(4, max(1, 5 * percent // 100) if percent else 0)
