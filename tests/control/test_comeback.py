"""When a worker is started again."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.control.comeback import LONGEST_PAUSE, LONGEST_PAUSE_SERVED, STEADY_SECONDS, Comeback


def test_one_that_ran_long_comes_back_at_once() -> None:
    worker = Comeback(0)
    assert worker.ended("signal 9", ran=1000.0, served=True) == 0.0
    assert worker.trouble is None


def test_one_that_never_serves_waits_longer_each_time_and_it_is_said() -> None:
    worker = Comeback(3)
    pauses = [worker.ended("status 1", ran=0.3, served=False) for _ in range(12)]
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert all(a <= b for a, b in itertools.pairwise(pauses))
    assert pauses[-1] == LONGEST_PAUSE
    assert worker.trouble == "worker 3 ended 12 times in a row within 10 s of its start, last with status 1"
    worker.steady(STEADY_SECONDS / 2)
    assert worker.trouble
    worker.steady(STEADY_SECONDS + 1)
    assert worker.trouble is None
    assert worker.ended("status 1", ran=0.3, served=False) == 0.1


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=40))
def test_pauses_are_bounded_and_a_steady_run_ends_the_trouble(ends: list[tuple[float, bool]]) -> None:
    worker = Comeback(0)
    for ran, served in ends:
        pause = worker.ended("signal 11", ran=ran, served=served)
        assert 0.0 <= pause <= (LONGEST_PAUSE_SERVED if served else LONGEST_PAUSE)
        assert (pause == 0.0) == (ran > STEADY_SECONDS)
        if ran > STEADY_SECONDS:
            assert worker.trouble is None
