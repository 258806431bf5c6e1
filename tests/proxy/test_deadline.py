"""Deadlines that callers state, and what backends are told of them."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway_service_mesh.model import DeadlineTrust, Retry, Timeout
from api_gateway_service_mesh.proxy.deadline import deadline_field, parse_deadline
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

ANYONE = DeadlineTrust.ANYONE


async def ask(gateway: Running, *fields: str) -> Received:
    reader, writer = await gateway.connect()
    writer.write("\r\n".join(["GET / HTTP/1.1", "Host: a", *fields, "", ""]).encode())
    got = await read_answer(reader)
    writer.close()
    return got


def status(got: Received) -> int:
    return int(got.line.split()[1])


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("grpc-timeout", "5S", 5.0),
        ("grpc-timeout", "250m", 0.25),
        ("grpc-timeout", "1H", 3600.0),
        ("grpc-timeout", "2M", 120.0),
        ("grpc-timeout", "500000u", 0.5),
        ("grpc-timeout", "99999999n", 0.099999999),
        ("grpc-timeout", "123456789m", None),
        ("grpc-timeout", "5", None),
        ("grpc-timeout", "-5S", None),
        ("x-timeout", "1500", 1.5),
        ("x-timeout", "0", 0.0),
        ("x-timeout", "1.5", None),
        ("x-timeout", "5S", None),
        ("x-timeout", "\u0661", None),
    ],
)
def test_what_is_said(name: str, value: str, seconds: float | None) -> None:
    assert parse_deadline(name, value) == (None if seconds is None else pytest.approx(seconds))


@given(st.floats(0.001, 1e6), st.sampled_from(["grpc-timeout", "x-timeout"]))
def test_what_is_told_is_never_more_than_is_left(seconds: float, name: str) -> None:
    line = deadline_field(name.encode(), seconds)
    told = parse_deadline(name, line.decode().partition(": ")[2].rstrip())
    assert told is not None
    assert told <= seconds + 1e-9 or told == 0.001
    assert told >= seconds - 1.0


@pytest.mark.parametrize(("name", "value"), [("grpc-timeout", "300m"), ("x-timeout", "300")])
async def test_the_callers_time_counts_and_the_rest_goes_on(name: str, value: str) -> None:
    async def late(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(2)

    timeout = Timeout("urn:timeout", 5.0, deadline_header=name, deadline_trust=ANYONE)
    async with (
        backend(late) as behind,
        running(mesh_of(route(timeout=timeout), upstream(endpoint(behind.port)))) as gateway,
    ):
        began = monotonic()
        assert status(await ask(gateway, f"{name.title()}: {value}")) == 504
        assert 0.25 < monotonic() - began < 0.8
        told = behind.requests[0].get(name)
        assert told is not None
        seconds = parse_deadline(name, told)
        assert seconds is not None
        assert 0.2 < seconds <= 0.3


async def test_the_routes_own_time_is_told_and_never_lengthened() -> None:
    timeout = Timeout("urn:timeout", 2.0, deadline_header="x-timeout", deadline_trust=ANYONE)
    async with (
        backend(says(answer())) as behind,
        running(mesh_of(route(timeout=timeout), upstream(endpoint(behind.port)))) as gateway,
    ):
        for fields in (["X-Timeout: 60000"], [], ["X-Timeout: soon"]):
            assert status(await ask(gateway, *fields)) == 200
        told = [int(received.get("x-timeout") or 0) for received in behind.requests]
        assert all(1500 < milliseconds <= 2000 for milliseconds in told)


async def test_each_attempt_is_told_what_is_left_then() -> None:
    timeout = Timeout("urn:timeout", 2.0, deadline_header="x-timeout")
    retry = Retry("urn:retry", attempts=1, initial_delay_seconds=0.001)

    async def busy(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.2)
        await conversation.send(answer(status="503 Busy"))

    async with (
        backend(busy) as behind,
        running(mesh_of(route(timeout=timeout, retry=retry), upstream(endpoint(behind.port)))) as gateway,
    ):
        assert status(await ask(gateway)) == 503
        first, second = (int(received.get("x-timeout") or 0) for received in behind.requests)
        assert first - second >= 190


@pytest.mark.parametrize(("trusted", "told"), [((), False), (("127.0.0.0/8",), True)])
async def test_only_trusted_proxies_are_believed(trusted: tuple[str, ...], told: bool) -> None:
    timeout = Timeout("urn:timeout", None, deadline_header="x-timeout")
    mesh_fields = {"trusted_proxies": trusted}
    async with (
        backend(says(answer())) as behind,
        running(mesh_of(route(timeout=timeout), upstream(endpoint(behind.port)), **mesh_fields)) as gateway,
    ):
        assert status(await ask(gateway, "X-Timeout: 700")) == 200
        said = behind.requests[0].get("x-timeout")
        assert (said is not None) is told, "a header that is not believed does not pass"


async def test_a_time_that_is_over_is_answered_at_once() -> None:
    timeout = Timeout("urn:timeout", None, deadline_header="x-timeout", deadline_trust=ANYONE)
    async with (
        backend(says(answer())) as behind,
        running(mesh_of(route(timeout=timeout), upstream(endpoint(behind.port)))) as gateway,
    ):
        assert status(await ask(gateway, "X-Timeout: 0")) == 504
        assert not gateway.engine.core().deadlines.watched
    assert not behind.requests
