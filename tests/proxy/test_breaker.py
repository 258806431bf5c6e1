"""Circuit breakers in front of real backends."""

from __future__ import annotations

import asyncio

from api_gateway_service_mesh.model import Breaker, BreakerScope, Retry
from api_gateway_service_mesh.policies import BreakerState, CircuitBreaker, breaker_key
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def state_of(gateway: Running, breaker: Breaker, subject: str = "") -> BreakerState:
    machine = CircuitBreaker(breaker, gateway.store.view, gateway.layout.slots[breaker_key(breaker, subject)])
    return machine.state(asyncio.get_running_loop().time())


async def statuses(gateway: Running, *paths: str) -> list[int]:
    reader, writer = await gateway.connect()
    got = []
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got.append(int((await read_answer(reader)).line.split()[1]))
    writer.close()
    return got


async def test_routes_that_name_the_same_breaker_share_it() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=60)
    routes = (route("/one", "one", breaker=breaker), route("/two", "two", breaker=breaker))
    async with (
        backend(says(answer(status="500 Broken"))) as behind,
        running(mesh_of(routes, upstream(endpoint(behind.port)))) as gateway,
    ):
        reader, writer = await gateway.connect()
        for path, status in (("one", "500"), ("two", "500"), ("one", "503"), ("two", "503")):
            writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            got = await read_answer(reader)
            assert got.line.split()[1] == status
        assert got.get("retry-after") == "60"
        assert b'"policy": "urn:breaker"' in got.body
        writer.close()
    assert len(behind.requests) == 2


async def test_by_service_each_has_its_state_and_routes_share_it() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=60, scope=BreakerScope.SERVICE)
    routes = tuple(
        route(f"/{name}", name, breaker=breaker, to=to) for name, to in (("a", "bad"), ("b", "bad"), ("c", "good"))
    )
    async with (
        backend(says(answer(status="500 Broken"))) as bad,
        backend(says(answer())) as good,
        running(
            mesh_of(
                routes,
                upstream(endpoint(bad.port, "bad"), name="bad"),
                upstream(endpoint(good.port, "good"), name="good"),
            )
        ) as gateway,
    ):
        assert await statuses(gateway, "/a", "/b", "/a", "/b", "/c") == [500, 500, 503, 503, 200]
        assert state_of(gateway, breaker, "urn:test:bad") is BreakerState.OPEN
        assert state_of(gateway, breaker, "urn:test:good") is BreakerState.CLOSED


async def test_by_instance_the_others_take_the_requests() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=0.3, scope=BreakerScope.INSTANCE)
    sick = True

    async def one(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(status="500 Broken" if sick else "200 OK"))

    async with backend(one) as bad, backend(says(answer())) as good:
        mesh = mesh_of(route(breaker=breaker), upstream(endpoint(bad.port), endpoint(good.port, "two")))
        async with running(mesh) as gateway:
            assert (await statuses(gateway, *["/"] * 4)).count(500) == 2
            assert state_of(gateway, breaker, "urn:test:endpoint:one") is BreakerState.OPEN
            assert await statuses(gateway, *["/"] * 6) == [200] * 6
            assert len(bad.requests) == 2
            sick = False
            await asyncio.sleep(0.35)
            assert await statuses(gateway, *["/"] * 4) == [200] * 4
            assert state_of(gateway, breaker, "urn:test:endpoint:one") is BreakerState.CLOSED
            assert len(bad.requests) > 2


async def test_when_every_instance_is_shut_out_the_refusal_names_the_breaker() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=1, open_seconds=60, scope=BreakerScope.INSTANCE)
    async with (
        backend(says(answer(status="500 Broken"))) as one,
        running(mesh_of(route(breaker=breaker), upstream(endpoint(one.port)), access_log=True)) as gateway,
    ):
        assert await statuses(gateway, "/") == [500]
        reader, writer = await gateway.connect()
        writer.write(GET)
        got = await read_answer(reader)
        assert got.line.split()[1] == "503"
        assert b"circuit-open" in got.body
        assert b"urn:breaker" in got.body
        assert got.get("retry-after") == "60"
        writer.close()
    assert len(one.requests) == 1


async def test_a_tried_instance_is_taken_again_when_the_other_is_shut() -> None:
    """One of two is shut; the other fails once: the retry has nowhere else to go."""
    breaker = Breaker("urn:breaker", failure_threshold=3, open_seconds=60, scope=BreakerScope.INSTANCE)
    retry = Retry("urn:retry", attempts=1, initial_delay_seconds=0.001)
    async with backend(says(answer(status="503 Busy"))) as bad, backend(says(*good_now())) as good:
        mesh = mesh_of(route(breaker=breaker, retry=retry), upstream(endpoint(bad.port), endpoint(good.port, "two")))
        async with running(mesh) as gateway:
            got = await statuses(gateway, *["/"] * 8)
            assert len(bad.requests) == 3
            assert got == [200] * 8


def good_now() -> list[bytes]:
    """Well, but for the seventh answer."""
    return [answer()] * 6 + [answer(status="503 Busy"), answer()]


async def test_listed_statuses_and_slow_answers_count() -> None:
    breaker = Breaker("urn:breaker", failure_threshold=2, open_seconds=60, failure_statuses=(429,))
    slow = Breaker("urn:slow", open_seconds=60, slow_seconds=0.05, slow_rate=50.0, minimum_requests=2)

    async def sleepy(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.1)
        await conversation.send(answer(b"x"))

    said = [answer(status=status) for status in ("500 Broken", "500 Broken", "429 Slower", "429 Slower", "200 OK")]
    async with backend(says(*said)) as behind, backend(sleepy) as late:
        routes = (route("/a", "a", breaker=breaker), route("/b", "b", breaker=slow, to="late"))
        mesh = mesh_of(routes, upstream(endpoint(behind.port)), upstream(endpoint(late.port, "late"), name="late"))
        async with running(mesh) as gateway:
            assert await statuses(gateway, *["/a"] * 5) == [500, 500, 429, 429, 503]
            assert await statuses(gateway, *["/b"] * 3) == [200, 200, 503]
