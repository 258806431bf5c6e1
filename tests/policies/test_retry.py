"""Retries: what is tried again, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.model import Retry, RetryCondition
from api_gateway_service_mesh.policies.retry import IDEMPOTENT_METHODS, Failure, RetryPolicy

ALL = frozenset(RetryCondition)


def policy(*conditions: str, attempts: int = 2, non_idempotent: bool = False) -> RetryPolicy:
    named = frozenset(RetryCondition(condition) for condition in conditions) or ALL
    return RetryPolicy(Retry("ex:retry", attempts, conditions=named, retry_non_idempotent=non_idempotent))


def test_attempts_are_further_tries() -> None:
    machine = policy(attempts=2)
    tried = [machine.should_retry(attempt, Failure.CONNECT, "GET") for attempt in (1, 2, 3)]
    assert tried == [True, True, False]
    assert not policy(attempts=0).should_retry(1, Failure.CONNECT, "GET")


@pytest.mark.parametrize(
    ("condition", "retried"),
    [
        ("connect-failure", {"connect"}),
        ("reset", {"reset"}),
        ("timeout", {"timeout"}),
        ("gateway-error", {"connect", "reset", "timeout", "502", "503", "504"}),
        ("5xx", {"connect", "reset", "timeout", "500", "501", "502", "503", "504", "599"}),
    ],
)
def test_each_condition_names_its_failures(condition: str, retried: set[str]) -> None:
    machine = policy(condition)
    failures = {str(failure): (failure, 0) for failure in (Failure.CONNECT, Failure.RESET, Failure.TIMEOUT)}
    failures |= {str(code): (Failure.STATUS, code) for code in (200, 404, 429, 499, 500, 501, 502, 503, 504, 599, 600)}
    assert {
        name
        for name, (failure, status) in failures.items()
        if machine.should_retry(1, failure, "GET", status=status, bytes_sent=100)
    } == retried


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_idempotent_methods_go_twice(method: str) -> None:
    assert policy().should_retry(1, Failure.RESET, method, bytes_sent=500)


@pytest.mark.parametrize("method", ["POST", "PATCH", "CONNECT", "PURGE", "get"])
def test_others_only_when_nothing_left(method: str) -> None:
    machine = policy()
    assert method not in IDEMPOTENT_METHODS
    assert machine.should_retry(1, Failure.CONNECT, method, bytes_sent=0)
    assert not machine.should_retry(1, Failure.RESET, method, bytes_sent=1)
    assert not machine.should_retry(1, Failure.TIMEOUT, method, bytes_sent=1)
    assert not machine.should_retry(1, Failure.STATUS, method, status=503), "an answer shows that it arrived"
    assert policy(non_idempotent=True).should_retry(1, Failure.RESET, method, bytes_sent=1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(Failure)),
    st.sampled_from(["GET", "POST"]),
    st.integers(0, 10),
    st.booleans(),
    st.booleans(),
)
def test_never_after_an_answer_began_and_never_half_a_body(
    failure: Failure, method: str, sent: int, replayable: bool, answered: bool
) -> None:
    again = policy(non_idempotent=True).should_retry(
        1, failure, method, status=503, bytes_sent=sent, replayable=replayable, answered=answered
    )
    assert again == (replayable and not answered)


@settings(max_examples=100, deadline=None)
@given(
    attempt=st.integers(1, 5000),
    rand=st.floats(0, 1, exclude_max=True),
    initial=st.floats(0, 5),
    multiplier=st.floats(1, 10),
    longest=st.floats(0.001, 60),
)
def test_the_delay_is_full_jitter_within_its_bound(
    attempt: int, rand: float, initial: float, multiplier: float, longest: float
) -> None:
    config = Retry("ex:retry", initial_delay_seconds=initial, multiplier=multiplier, max_delay_seconds=longest)
    machine = RetryPolicy(config)
    assert 0.0 <= machine.delay_seconds(attempt, rand) <= machine.bound_seconds(attempt) <= longest
    assert machine.bound_seconds(attempt) <= machine.bound_seconds(attempt + 1) or initial == 0.0
    assert machine.delay_seconds(attempt, 0.0) == 0.0


def test_the_bound_grows_by_the_multiplier() -> None:
    machine = RetryPolicy(replace(Retry("ex:retry"), initial_delay_seconds=0.1, multiplier=3.0, max_delay_seconds=2.0))
    assert [round(machine.bound_seconds(attempt), 6) for attempt in (1, 2, 3, 4)] == [0.1, 0.3, 0.9, 2.0]
    assert machine.delay_seconds(2, 0.5) == pytest.approx(0.15)


def test_status_line() -> None:
    assert repr(policy("reset", "connect-failure", attempts=3)) == (
        "<RetryPolicy ex:retry attempts=3 on=connect-failure,reset delay=0.025s*2 max=10s>"
    )


def test_listed_statuses_are_retried_beside_the_conditions() -> None:
    policy = RetryPolicy(Retry("ex:retry", statuses=(409, 429)))
    answers = {status: policy.should_retry(1, Failure.STATUS, "GET", status=status) for status in (404, 409, 429, 503)}
    assert answers == {404: False, 409: True, 429: True, 503: True}


def test_an_idempotency_key_makes_a_request_repeatable_where_the_policy_says_so() -> None:
    for allowed in (False, True):
        policy = RetryPolicy(Retry("ex:retry", retry_idempotency_key=allowed))
        assert policy.should_retry(1, Failure.RESET, "POST", bytes_sent=9, idempotency_key=True) is allowed
        assert not policy.should_retry(1, Failure.RESET, "POST", bytes_sent=9)
        assert policy.should_retry(1, Failure.REFUSED, "POST", bytes_sent=9), "the backend took nothing of it"


def test_no_wait_past_the_deadline_nor_before_the_backend_wants() -> None:
    policy = RetryPolicy(Retry("ex:retry", initial_delay_seconds=1.0, max_delay_seconds=4.0))
    assert policy.wait_seconds(1, 0.5, None, None) == 0.5
    assert policy.wait_seconds(1, 0.5, 0.6, None) == 0.5
    assert policy.wait_seconds(1, 0.5, 0.5, None) is None
    assert policy.wait_seconds(1, 0.5, None, 3.0) == 3.0
    assert policy.wait_seconds(1, 0.5, 2.0, 3.0) is None
    assert policy.wait_seconds(1, 0.5, None, 5.0) is None
    deaf = RetryPolicy(Retry("ex:retry", initial_delay_seconds=1.0, honour_retry_after=False))
    assert deaf.wait_seconds(1, 0.5, None, 5.0) == 0.5
