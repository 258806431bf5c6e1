"""What may be stored and used, on a clock that is moved by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Cache
from api_gateway_service_mesh.policies.cache import Asked, Stored, Use, asked, in_304, merged, not_modified, stored, use
from api_gateway_service_mesh.policies.cache_fields import field_lines

POLICY = Cache("urn:c")
NOTHING = Asked()


def kept(
    fields: str,
    *,
    policy: Cache = POLICY,
    status: int = 200,
    request: str = "",
    guarded: bool = False,
    delay: float = 0.0,
) -> Stored | None:
    block = fields.replace("\n", "\r\n").encode() + b"\r\n"
    made = stored(
        policy, status, b"", block, field_lines(block), field_lines(request.encode()),
        guarded=guarded, asked_at=100.0, now=100.0 + delay, wall=784111777.0,
    )  # fmt: skip
    if made is not None:
        made.fill(b"")
    return made


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ("Cache-Control: max-age=5", 5),
        ("Cache-Control: max-age=5, s-maxage=7", 7),
        ("Cache-Control: max-age=5\nExpires: Sun, 06 Nov 1994 09:49:37 GMT", 5),
        ("Expires: Sun, 06 Nov 1994 08:49:47 GMT\nDate: Sun, 06 Nov 1994 08:49:37 GMT", 10),
        ("Expires: Sun, 06 Nov 1994 08:49:47 GMT", 10),
        ("ETag: a", 0),
    ],
)
def test_how_long_an_answer_is_fresh(fields: str, lifetime: float) -> None:
    made = kept(fields)
    assert made is not None
    assert made.lifetime == lifetime


def test_what_the_policy_says_where_the_answer_does_not() -> None:
    modified = "Last-Modified: Sun, 06 Nov 1994 08:32:57 GMT"
    for policy, lifetime in (
        (Cache("", default_seconds=9.0), 9.0),
        (Cache("", heuristic=True), 100.0),
        (Cache("", heuristic=True, maximum_seconds=7.0), 7.0),
        (Cache("", default_seconds=9.0, heuristic=True), 9.0),
        (POLICY, 0.0),
    ):
        made = kept(modified, policy=policy)
        assert made is not None
        assert made.lifetime == lifetime
    assert kept("X: y", policy=Cache("", default_seconds=9.0), status=302) is None
    assert kept("X: y", policy=Cache("", default_seconds=9.0), request="Cookie: a\r\n") is None


@pytest.mark.parametrize(
    ("request_", "fields", "may"),
    [
        ("", "Cache-Control: max-age=5", True),
        ("Authorization: x\r\n", "Cache-Control: max-age=5", False),
        ("Authorization: x\r\n", "Cache-Control: max-age=5, public", True),
        ("Authorization: x\r\n", "Cache-Control: s-maxage=5", True),
        ("Authorization: x\r\n", "Cache-Control: max-age=5, must-revalidate", True),
        ("", "Cache-Control: private, max-age=5", False),
        ("", "Cache-Control: max-age=5, no-store", False),
        ("", "Cache-Control: max-age=5, no-store, must-understand", True),
        ("", "Cache-Control: max-age=5\nVary: a, *", False),
        ("", "Cache-Control: max-age=5\nSet-Cookie: a=b", False),
    ],
)
def test_what_may_be_stored(request_: str, fields: str, may: bool) -> None:
    assert (kept(fields, request=request_) is not None) is may
    if not request_:
        assert (kept(fields, guarded=True) is not None) is (may and "public" in fields)


def test_ages() -> None:
    plain = kept("Cache-Control: max-age=60\nAge: 10", delay=3.0)
    assert plain is not None
    assert plain.age(103.0) == 13.0
    assert plain.age(113.0) == 23.0
    old = kept("Cache-Control: max-age=60\nDate: Sun, 06 Nov 1994 08:49:17 GMT\nAge: 5")
    assert old is not None
    assert old.age(100.0) == 20.0
    odd = kept("Cache-Control: max-age=60\nAge: soon")
    assert odd is not None
    assert odd.age(100.0) == 0.0


@pytest.mark.parametrize(
    ("fields", "control", "after", "found"),
    [
        ("max-age=10", "", 5, Use.FRESH),
        ("max-age=10", "", 10, Use.VALIDATE_STRICTLY),
        ("max-age=10", "no-cache", 5, Use.VALIDATE_STRICTLY),
        ("max-age=10", "max-age=4", 5, Use.VALIDATE),
        ("max-age=10", "min-fresh=6", 5, Use.VALIDATE),
        ("max-age=10", "max-stale", 15, Use.FRESH),
        ("max-age=10", "max-stale=4", 15, Use.VALIDATE_STRICTLY),
        ("max-age=10, must-revalidate", "max-stale", 15, Use.VALIDATE_STRICTLY),
        ("s-maxage=10", "max-stale", 15, Use.VALIDATE_STRICTLY),
        ("max-age=10, stale-while-revalidate=10", "", 15, Use.STALE),
        ("max-age=10, stale-while-revalidate=10", "", 20, Use.VALIDATE_STRICTLY),
        ("max-age=10, stale-while-revalidate=10", "max-age=5", 15, Use.VALIDATE_STRICTLY),
        ("s-maxage=10, stale-while-revalidate=10", "", 15, Use.STALE),
        ("max-age=10, stale-if-error=10", "", 15, Use.VALIDATE),
        ("max-age=10, stale-if-error=10, must-revalidate", "", 15, Use.VALIDATE_STRICTLY),
        ("no-cache, max-age=10", "", 1, Use.VALIDATE_STRICTLY),
    ],
)
def test_what_may_be_done_with_it(fields: str, control: str, after: float, found: Use) -> None:
    entry = kept(f"Cache-Control: {fields}\nETag: a")
    assert entry is not None
    assert use(entry, asked(control or None, None, True), 100.0 + after) is found


def test_what_the_policy_grants_where_the_answer_does_not() -> None:
    policy = Cache("", stale_while_seconds=10.0, stale_error_seconds=20.0)
    plain, shared = kept("Cache-Control: max-age=5", policy=policy), kept("Cache-Control: s-maxage=5", policy=policy)
    assert plain is not None and shared is not None
    assert [use(plain, NOTHING, 100.0 + after) for after in (4, 14, 24, 26)] == [
        Use.FRESH, Use.STALE, Use.VALIDATE, Use.VALIDATE_STRICTLY,
    ]  # fmt: skip
    assert use(shared, NOTHING, 106.0) is Use.VALIDATE_STRICTLY


def test_clients_that_are_not_heeded_may_still_forbid() -> None:
    said = asked("no-cache, no-store, max-age=0, only-if-cached", None, False)
    assert (said.no_store, said.only_if_cached, said.no_cache, said.max_age) == (True, True, False, -1)
    assert asked(None, "no-cache", True).no_cache
    assert not asked("x", "no-cache", True).no_cache


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 200))
def test_nothing_is_fresh_longer_than_it_says(lifetime: int, age: int, after: int) -> None:
    entry = kept(f"Cache-Control: max-age={lifetime}\nAge: {age}\nETag: a")
    assert entry is not None
    assert (use(entry, NOTHING, 100.0 + after) is Use.FRESH) is (age + after < lifetime)


@pytest.mark.parametrize(
    ("none_match", "since", "has"),
    [
        ('"a"', None, True),
        ('W/"a"', None, True),
        ('"b", "a"', None, True),
        ('"a,b"', None, False),
        ("*", None, True),
        ('"b"', "Mon, 07 Nov 1994 08:49:37 GMT", False),
        (None, "Sun, 06 Nov 1994 08:49:37 GMT", True),
        (None, "Sun, 06 Nov 1994 08:49:36 GMT", False),
        (None, "yesterday", False),
        (None, None, False),
    ],
)
def test_what_a_client_has_already(none_match: str | None, since: str | None, has: bool) -> None:
    entry = kept('Cache-Control: max-age=5\nETag: "a"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT')
    assert entry is not None
    assert not_modified(entry, none_match, since) is has


def test_a_304_takes_the_place_of_fields() -> None:
    block = b"A: 1\r\nContent-Length: 5\r\nCache-Control: max-age=1\r\nA: 2\r\n"
    assert merged(block, b"a: 3\r\nContent-Length: 0\r\nB: 4\r\n") == (
        b"Content-Length: 5\r\nCache-Control: max-age=1\r\na: 3\r\nB: 4\r\n"
    )
    assert in_304(b"ETag: x\r\nContent-Type: y\r\nVary: z\r\n") == b"ETag: x\r\nVary: z\r\n"
