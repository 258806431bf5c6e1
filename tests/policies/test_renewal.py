"""The board of renewals: one at a time, results for those who wait, and no claim outlives who died."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import RenewalClaim
from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.renewal import (
    LEASE_SECONDS,
    PLACES,
    RENEWAL_CELLS,
    RESULT_BYTES,
    RESULT_SECONDS,
    RenewalBoard,
)


def board() -> tuple[RenewalBoard, RenewalBoard]:
    view = CellStore.local(RENEWAL_CELLS + 8).view
    return RenewalBoard(view, 8), RenewalBoard(view, 8)


def test_one_renews_and_the_others_find_what_came_of_it() -> None:
    one, other = board()
    place = one.claim(7, 100.0)
    assert place >= 0
    assert other.claim(7, 100.1) == RenewalClaim.ELSEWHERE
    assert other.claim(8, 100.1) >= 0, "another session is another matter"
    assert other.result(7, 100.1) is None
    sealed = bytes(range(256)) * (RESULT_BYTES // 256)
    one.leave(place, 7, 101.0, sealed)
    assert other.claim(7, 101.5) == RenewalClaim.RENEWED
    assert other.result(7, 101.5) == sealed
    late = 101.0 + RESULT_SECONDS
    assert other.result(7, late) is None
    assert other.claim(7, late) >= 0


def test_what_came_to_nothing_may_be_tried_again() -> None:
    one, other = board()
    one.drop(one.claim(7, 100.0), 7)
    place = other.claim(7, 100.1)
    assert place >= 0
    other.leave(place, 7, 100.2, b"")
    assert one.claim(7, 100.3) == RenewalClaim.RENEWED
    assert one.result(7, 100.3) == b""


def test_who_died_holds_nobody_up_and_who_was_slow_changes_nothing() -> None:
    one, other = board()
    slow = one.claim(7, 100.0)
    assert other.claim(7, 100.0 + LEASE_SECONDS - 0.1) == RenewalClaim.ELSEWHERE
    place = other.claim(7, 100.0 + LEASE_SECONDS)
    assert place >= 0
    other.leave(place, 7, 117.0, b"new")
    one.leave(slow, 7, 118.0, b"old")
    one.drop(slow, 7)
    assert one.result(7, 118.0) == b"new"


def test_a_full_board_leaves_one_alone_and_forgets_what_is_over() -> None:
    one, _ = board()
    assert sorted(one.claim(key, 100.0) for key in range(1, PLACES + 1)) == list(range(PLACES))
    assert one.claim(999, 100.0) == RenewalClaim.ALONE
    one.leave(3, 4, 100.0, b"x")
    assert one.claim(999, 100.1) == RenewalClaim.ALONE
    assert one.claim(999, 100.0 + RESULT_SECONDS) >= 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["claim", "leave", "drop"]), st.floats(0, 9)), max_size=60)
)
def test_never_two_at_once(events: list[tuple[int, str, float]]) -> None:
    one, _ = board()
    now, held = 100.0, {}
    for key, act, later in events:
        now += later
        if act == "claim":
            place = one.claim(key, now)
            if place >= 0:
                # The number 0 stands where 1 does: a place that was never used has it.
                assert now - held.get(key or 1, (0, -1e9))[1] >= LEASE_SECONDS
                held[key or 1] = (place, now)
        elif (key or 1) in held:
            place, _ = held.pop(key or 1)
            if act == "leave":
                one.leave(place, key, now, b"x")
            else:
                one.drop(place, key)
