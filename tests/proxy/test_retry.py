"""Retries against real backends: what is tried again, when, and when not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email.utils import formatdate
from time import monotonic, time

import pytest

from api_gateway_service_mesh.model import Retry, RetryCondition, Timeout
from api_gateway_service_mesh.policies import budget_key, read_budget
from tests.support.backend import Conversation, Received, Script, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
QUICK = Retry("urn:retry", attempts=2, initial_delay_seconds=0.001, max_delay_seconds=2.0)


async def ask(gateway: Running, request: bytes = GET) -> Received:
    reader, writer = await gateway.connect()
    writer.write(request)
    got = await read_answer(reader)
    writer.close()
    return got


def post(fields: str = "", body: bytes = b"abc") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def status(got: Received) -> int:
    return int(got.line.split()[1])


def busy(after: str = "", code: str = "503 Busy") -> bytes:
    return answer(b"busy", code, f"Retry-After: {after}\r\n" if after else "")


async def test_a_listed_status_is_tried_again() -> None:
    policy = replace(QUICK, statuses=(429,))
    for said, expected, asked in ((busy(code="429 Slower"), 200, 2), (busy(code="404 Gone"), 404, 1)):
        async with (
            backend(says(said, answer())) as behind,
            running(mesh_of(route(retry=policy), upstream(endpoint(behind.port)))) as gateway,
        ):
            assert status(await ask(gateway)) == expected
            assert len(behind.requests) == asked


@pytest.mark.parametrize("dated", [False, True])
async def test_retry_after_is_waited_for(dated: bool) -> None:
    after = formatdate(time() + 2, usegmt=True) if dated else "1"
    async with (
        backend(says(busy(after), answer())) as behind,
        running(
            mesh_of(route(retry=replace(QUICK, max_delay_seconds=3.0)), upstream(endpoint(behind.port)))
        ) as gateway,
    ):
        began = monotonic()
        assert status(await ask(gateway)) == 200
        assert 0.8 < monotonic() - began < 3.0


@pytest.mark.parametrize(
    ("policy", "timeout", "expected"),
    [
        (QUICK, None, 503),  # 5 s is longer than any delay of the policy
        (replace(QUICK, max_delay_seconds=10.0), Timeout("urn:t", 1.0), 503),  # nor would the route's time allow it
        (replace(QUICK, honour_retry_after=False), None, 200),
    ],
)
async def test_a_backend_that_wants_to_be_left_alone(policy: Retry, timeout: Timeout | None, expected: int) -> None:
    async with (
        backend(says(busy("5"), answer())) as behind,
        running(mesh_of(route(retry=policy, timeout=timeout), upstream(endpoint(behind.port)))) as gateway,
    ):
        got = await ask(gateway)
        assert status(got) == expected
        assert got.get("retry-after") == ("5" if expected == 503 else None)


async def test_no_retry_begins_that_cannot_end_in_time() -> None:
    policy = Retry("urn:retry", attempts=50, initial_delay_seconds=0.2, multiplier=1.0)
    async with (
        backend(says(busy())) as behind,
        running(
            mesh_of(route(retry=policy, timeout=Timeout("urn:t", 0.5)), upstream(endpoint(behind.port)))
        ) as gateway,
    ):
        began = monotonic()
        got = await ask(gateway)
        assert status(got) == 503, "the backend's own answer, not a 504 of ours"
        assert got.body == b"busy"
        assert monotonic() - began < 0.6


async def test_idempotency_keys() -> None:
    async def reset_once(received: Received, conversation: Conversation) -> None:
        if len(behind.requests) == 1:
            conversation.reset()
        else:
            await conversation.send(answer(received.body))

    for allowed, fields, expected in (
        (True, "Idempotency-Key: 7\r\n", 200),
        (True, "", 502),
        (False, "Idempotency-Key: 7\r\n", 502),
    ):
        policy = replace(QUICK, retry_idempotency_key=allowed)
        async with (
            backend(reset_once) as behind,
            running(mesh_of(route(retry=policy), upstream(endpoint(behind.port)))) as gateway,
        ):
            assert status(await ask(gateway, post(fields))) == expected


async def test_bodies_are_kept_up_to_the_policys_bound() -> None:
    for bound, expected in ((100_000, 200), (99_999, 503)):
        policy = replace(QUICK, retry_non_idempotent=True, max_replay_bytes=bound)
        async with (
            backend(says(busy(), answer())) as behind,
            running(mesh_of(route(retry=policy), upstream(endpoint(behind.port)))) as gateway,
        ):
            assert status(await ask(gateway, post(body=b"x" * 100_000))) == expected
            assert {len(received.body) for received in behind.requests} == {100_000}


async def test_the_budget_bounds_what_a_failing_backend_gets() -> None:
    policy = replace(QUICK, attempts=5, budget_minimum=0)
    async with (
        backend(says(busy())) as behind,
        running(mesh_of(route(retry=policy), upstream(endpoint(behind.port)))) as gateway,
    ):
        for _ in range(50):
            assert status(await ask(gateway)) == 503
        totals = read_budget(gateway.store.view, gateway.layout.slots[budget_key("urn:retry", "urn:test:service")], 1)
    assert len(behind.requests) == 59
    assert totals.granted == 9
    assert totals.refused > 0


async def test_a_backend_that_dies_costs_no_client_an_error() -> None:
    """Two backends under load; one is reset in the middle of everything and is gone. Nobody hears of it."""
    alive = True

    async def dying(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.002)
        if alive:
            await conversation.send(answer(b"one"))
        else:
            conversation.reset()

    async def living(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.002)
        await conversation.send(answer(b"two"))

    policy = replace(QUICK, budget_percent=100.0)
    seen: list[int] = []
    async with backend(dying) as one, backend(living) as two:
        mesh = mesh_of(route(retry=policy), upstream(endpoint(one.port), endpoint(two.port, "two")))
        async with running(mesh) as gateway:

            async def client() -> None:
                reader, writer = await gateway.connect()
                for _ in range(40):
                    writer.write(GET)
                    seen.append(status(await read_answer(reader)))
                writer.close()

            clients = [asyncio.create_task(client()) for _ in range(10)]
            await asyncio.sleep(0.05)
            alive = False
            await asyncio.gather(*clients)
    assert seen.count(200) == 400


def flapping(*statuses: str) -> Script:
    """Well and ill by turns."""
    return says(*(answer(b"x", status) for status in statuses))


async def test_a_flapping_backend_is_asked_again_until_the_attempts_are_used_up() -> None:
    script = flapping("502 Bad", "504 Late", "200 OK", "500 Broken", "200 OK")
    async with (
        backend(script) as behind,
        running(mesh_of(route(retry=QUICK), upstream(endpoint(behind.port)))) as gateway,
    ):
        assert status(await ask(gateway)) == 200
        assert len(behind.requests) == 3
        assert status(await ask(gateway)) == 500, "500 is no gateway error"
    conditions = frozenset({RetryCondition.SERVER_ERROR})
    async with (
        backend(flapping("500 Broken", "200 OK")) as behind,
        running(
            mesh_of(route(retry=replace(QUICK, conditions=conditions)), upstream(endpoint(behind.port)))
        ) as gateway,
    ):
        assert status(await ask(gateway)) == 200


async def test_half_a_body_is_never_tried_again() -> None:
    async def half(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        await asyncio.sleep(0.02)
        conversation.reset()

    async with (
        backend(half) as behind,
        running(mesh_of(route(retry=QUICK), upstream(endpoint(behind.port)))) as gateway,
    ):
        with pytest.raises(asyncio.IncompleteReadError):
            await ask(gateway)
        assert len(behind.requests) == 1
