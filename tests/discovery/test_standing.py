"""What is believed of answers, by a clock that is moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.discovery import DiscoveryState, Instance, Instances, Standing
from api_gateway_service_mesh.discovery.standing import BETWEEN_SECONDS, LONGEST_SECONDS, MOST_INSTANCES

WALL = datetime(2026, 1, 1, tzinfo=UTC)


def told(*numbers: int) -> Instances:
    return Instances("users", tuple(Instance(f"10.0.0.{number}", 80) for number in numbers), "1", WALL)


def used(standing: Standing) -> list[int]:
    return [int(one.address.rpartition(".")[2]) for one in standing.held]


def test_the_first_answer_counts_at_once() -> None:
    standing = Standing(30)
    assert standing.state is DiscoveryState.WAITING
    standing.answered(told(1, 2), 5.0)
    assert standing.take(5.0)
    assert (used(standing), standing.state) == ([1, 2], DiscoveryState.CURRENT)


def test_an_outage_keeps_the_last_instances_and_says_since_when() -> None:
    standing = Standing(30)
    standing.answered(told(1), 0.0)
    standing.take(0.0)
    standing.failed("connection refused", 1.0, WALL)
    standing.failed("connection refused", 1000.0, datetime(2027, 1, 1, tzinfo=UTC))
    assert (used(standing), standing.state) == ([1], DiscoveryState.STALE)
    assert (standing.stale_since, standing.fault) == (WALL, "connection refused")
    standing.answered(told(1), 1001.0)
    assert (standing.state, standing.stale_since, standing.fault) == (DiscoveryState.CURRENT, None, None)


def test_a_registry_that_never_answered_is_waited_for_not_stale() -> None:
    standing = Standing(30)
    standing.failed("connection refused", 1.0, WALL)
    assert standing.state is DiscoveryState.WAITING


def test_nobody_is_believed_after_it_was_said_for_long_enough() -> None:
    standing = Standing(30)
    standing.answered(told(1), 0.0)
    standing.take(0.0)
    for now in (10.0, 20.0, 39.9):
        standing.answered(told(), now)
        assert (standing.state, standing.due) == (DiscoveryState.DOUBTED, inf)
    standing.answered(told(), 40.0)
    assert standing.take(standing.due)
    assert (used(standing), standing.state) == ([], DiscoveryState.CURRENT)


def test_a_failure_or_somebody_in_between_starts_the_doubt_anew() -> None:
    for disturb in ("failed", "answered"):
        standing = Standing(30)
        standing.answered(told(1), 0.0)
        standing.take(0.0)
        standing.answered(told(), 10.0)
        if disturb == "failed":
            standing.failed("timeout", 20.0, WALL)
        else:
            standing.answered(told(1), 20.0)
        standing.answered(told(), 41.0)
        assert (used(standing), standing.state) == ([1], DiscoveryState.DOUBTED)


def test_what_is_back_to_what_it_was_is_no_change() -> None:
    standing = Standing(30)
    standing.answered(told(1), 0.0)
    standing.take(0.0)
    standing.answered(told(1, 2), 1.0)
    standing.answered(told(1), 1.01)
    assert standing.due == inf


def test_the_bound_and_what_is_no_instance() -> None:
    standing = Standing(30)
    many = [Instance(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 80) for n in range(MOST_INSTANCES + 5)]
    bad = [Instance('x"> <y', 80), Instance("", 80), Instance("a b", 80), Instance("ok", 0), Instance("ok", 70000)]
    standing.answered(Instances("users", (*many, *many, *bad), "1", WALL), 0.0)
    standing.take(0.0)
    assert (len(standing.held), standing.left_out) == (MOST_INSTANCES, 5)


def test_when_an_instance_was_first_told_of_is_kept() -> None:
    standing = Standing(30)
    standing.answered(told(1), 0.0)
    standing.take(0.0)
    later = datetime(2026, 2, 2, tzinfo=UTC)
    standing.answered(Instances("users", told(1, 2).endpoints, "2", later), 1.0)
    standing.take(standing.due)
    assert standing.first_told == {("10.0.0.1", 80): WALL, ("10.0.0.2", 80): later}


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.3),
            st.one_of(st.none(), st.frozensets(st.integers(1, 5))),
        ),
        max_size=60,
    )
)
def test_whatever_happens(events: list[tuple[float, frozenset[int] | None]]) -> None:
    """Nothing is passed on too often or too late, nothing that was never told is used, and nobody comes at once."""
    standing, now = Standing(1.0), 0.0
    taken: list[float] = []
    last: list[int] | None = None
    waits_since: float | None = None
    for pause, event in events:
        end = now + pause
        while standing.due <= end:
            now = max(now, standing.due)
            before = used(standing)
            assert standing.take(now)
            assert used(standing) != before and used(standing) == last
            assert not taken or not before or now - taken[-1] >= BETWEEN_SECONDS - 1e-9
            assert waits_since is not None and now - waits_since <= LONGEST_SECONDS + BETWEEN_SECONDS + 1e-9
            taken.append(now)
            waits_since = None
        now = end
        if event is None:
            standing.failed("away", now, WALL)
        else:
            standing.answered(told(*event), now)
            if event or not standing.held or standing.due < inf:
                last = sorted(event)
        waits_since = None if standing.due == inf else (waits_since if waits_since is not None else now)
        assert (standing.state is DiscoveryState.STALE) <= (event is None)
