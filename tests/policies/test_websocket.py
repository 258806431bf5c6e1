"""Places for WebSockets, and the code that one ended with."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.policies import CellStore
from api_gateway_service_mesh.policies.websocket import WEBSOCKET_CELLS, WebSocketPlaces, clear_open, close_code


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """One frame (RFC 6455 §5.2), of at most 125 bytes."""
    head = bytes((0x80 | opcode, len(payload) | (0x80 if mask else 0)))
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else head + payload


CODES = st.integers(1000, 1004) | st.integers(1007, 1014) | st.integers(3000, 4999)


@given(
    before=st.lists(st.binary(max_size=125), max_size=3),
    code=CODES,
    reason=st.binary(max_size=123),
    mask=st.binary(min_size=4, max_size=4) | st.just(b""),
)
def test_the_last_frame_says_why(before: list[bytes], code: int, reason: bytes, mask: bytes) -> None:
    said = b"".join(frame(2, each, mask) for each in before)
    # A payload may end as a close frame does: then it is taken for one, and its code is one too.
    found = close_code(said + frame(8, struct.pack("!H", code) + reason, mask))
    assert found == code or (1000 <= found < 5000 and found != 1006)
    if not any(0x88 in each for each in (said, mask, reason)) and 0x88 not in frame(8, bytes(2) + reason, mask)[2:]:
        assert found == code


@given(st.binary(max_size=300))
def test_any_bytes_have_a_code_that_there_is(said: bytes) -> None:
    assert 1000 <= close_code(said) < 5000


def test_no_status_and_no_frame() -> None:
    assert close_code(frame(8, b"")) == 1005
    assert close_code(frame(8, b"", b"abcd")) == 1005
    assert close_code(b"") == close_code(b"\x88") == close_code(frame(2, b"hello")) == 1006
    assert close_code(frame(8, struct.pack("!H", 1006))) == 1006, "nobody may say that"
    assert close_code(frame(8, struct.pack("!H", 1000)) + b"more") == 1006, "a close frame is the last"


def places(maximum: int | None, workers: int = 1) -> tuple[memoryview, list[WebSocketPlaces]]:
    view = CellStore.local(WEBSOCKET_CELLS * workers).view
    return view, [WebSocketPlaces(view, 0, maximum, workers, worker) for worker in range(workers)]


def test_the_bound_holds_over_workers() -> None:
    _, (one, two) = places(3, 2)
    assert [one.enter(), two.enter(), one.enter(), two.enter()] == [True, True, True, False]
    assert (one.open, two.open, one.refused_total) == (3, 3, 1)
    one.leave()
    assert two.enter() and not one.enter()


def test_without_a_bound_all_are_counted() -> None:
    _, (one,) = places(None)
    assert all(one.enter() for _ in range(100)) and one.open == 100
    one.opened()
    one.timed_out(aged=False)
    one.timed_out(aged=True)
    for code in (1000, 1001, 1001, 3001, 4000, 4999, 2000):
        one.closed(code)
    assert dict(one.codes()) == {"1000": 1, "1001": 2, "3xxx": 1, "4xxx": 2, "other": 1}
    assert (one.opened_total, one.timed_out_total) == (1, (1, 1))


def test_what_a_crashed_worker_held_is_free_again() -> None:
    view, (one, two) = places(2, 2)
    assert one.enter() and two.enter() and not one.enter()
    clear_open(view, 0, 1)
    assert one.open == 1 and one.enter()
