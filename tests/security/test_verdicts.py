"""What was found out about tokens: how long it holds, and how much of it is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.security.identity import Denial, Denied, Identity
from api_gateway_service_mesh.security.verdicts import MOST_REFUSED_SECONDS, VerdictCache

NO = Denied(Denial.INVALID, "no")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "refuse", "look"]),
        st.integers(0, 5),
        st.floats(-50, 200),
        st.floats(1, 300),
    ),
    max_size=60,
)


@given(STEPS, st.floats(0, 120))
def test_nothing_is_remembered_past_its_end_whatever_the_clock_does(
    steps: list[tuple[str, int, float, float]], seconds: float
) -> None:
    cache, now = VerdictCache(seconds), 1000.0
    told: dict[bytes, tuple[str, float, float, object]] = {}
    for deed, number, passes, lives in steps:
        now += passes
        digest = bytes([number])
        if deed == "accept":
            identity = Identity("urn:a", until=now + lives)
            cache.accept(digest, identity, now)
            told[digest] = ("accepted", now, now + min(seconds, lives), identity)
        elif deed == "refuse":
            cache.refuse(digest, NO, now)
            told[digest] = ("refused", now, now + min(seconds / 4, MOST_REFUSED_SECONDS), NO)
        kind, since, until, verdict = told.get(digest, ("", 0.0, 0.0, None))
        accepted, refused = cache.accepted(digest, now), cache.refused(digest, now)
        assert accepted is None or refused is None
        if accepted is not None:
            assert kind == "accepted" and accepted is verdict and since <= now < until
        if refused is not None:
            assert kind == "refused" and since <= now < until


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10_000)), max_size=200), st.integers(2, 20))
def test_no_more_is_kept_than_there_is_room_for(deeds: list[tuple[bool, int]], room: int) -> None:
    cache = VerdictCache(60, room)
    for good, number in deeds:
        digest = number.to_bytes(2, "big")
        if good:
            cache.accept(digest, Identity("urn:a"), 0.0)
        else:
            cache.refuse(digest, NO, 0.0)
        assert len(cache) <= 2 * room


def test_garbage_pushes_out_garbage_alone() -> None:
    cache = VerdictCache(60, 4)
    cache.accept(b"good", Identity("urn:a"), 0.0)
    for number in range(100):
        cache.refuse(bytes([number]), NO, 0.0)
    assert cache.accepted(b"good", 1.0) is not None
