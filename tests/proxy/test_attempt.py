"""What hangs on an exchange: added answer fields, who is told of each attempt, who is told of the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from api_gateway_service_mesh.model import Retry, Timeout
from api_gateway_service_mesh.policies import Failure
from api_gateway_service_mesh.proxy.attempt import AttemptOutcome
from api_gateway_service_mesh.proxy.exchange import Exchange
from api_gateway_service_mesh.proxy.pool import EndpointPool
from tests.support.backend import Conversation, Received, answer, backend, read_answer, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
STREAMED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Heard:
    """What the hooks of the only route were told."""

    attempts: list[tuple[str, AttemptOutcome]] = field(default_factory=list)
    ends: list[tuple[int, float]] = field(default_factory=list)

    def on(self, gateway: Running, fields: bytes = b"") -> Heard:
        """Listen to `gateway`, and add `fields` to each of its answers."""
        core = gateway.engine.core()
        generation = core.generation
        assert generation is not None
        handler = generation.handler(generation.table.entries[0], core)
        assert handler.target is not None

        def attempt(exchange: Exchange, pool: EndpointPool, outcome: AttemptOutcome) -> None:
            assert exchange.attempt_started
            self.attempts.append((pool.endpoint.iri.rpartition(":")[2], outcome))

        def end(exchange: Exchange, now: float) -> None:
            assert exchange.over
            self.ends.append((exchange.status, now))

        def mark(exchange: Exchange) -> None:
            exchange.answer_fields += fields

        handler.target.on_attempt = (attempt,)
        handler.direct = None
        handler.on_end = (end,)
        handler.gates = (mark, *handler.gates)
        return self


@pytest.mark.parametrize("said", [answer(b"abc"), STREAMED], ids=["whole", "streamed"])
async def test_fields_are_added_to_the_answer(kind: str, said: bytes) -> None:
    async with (
        backend(says(said)) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway,
    ):
        heard = Heard().on(gateway, b"X-One: 1\r\nX-Two: 2\r\n")
        reader, writer = await gateway.connect()
        for _ in range(3):
            writer.write(GET)
            got = await read_answer(reader)
            assert (got.get("x-one"), got.get("x-two"), got.body) == ("1", "2", b"abc")
        writer.close()
    assert [outcome.status for _, outcome in heard.attempts] == [200, 200, 200]
    assert all(outcome.failure is None and 0 < outcome.seconds < 5 for _, outcome in heard.attempts)
    assert [status for status, _ in heard.ends] == [200, 200, 200]


async def test_fields_are_added_to_our_own_answers(kind: str) -> None:
    async with running(mesh_of(route(), upstream(endpoint(1))), kind=kind) as gateway:
        heard = Heard().on(gateway, b"X-One: 1\r\n")
        reader, writer = await gateway.connect()
        writer.write(GET)
        got = await read_answer(reader)
        assert (got.line.split()[1], got.get("x-one")) == ("502", "1")
        writer.close()
    [(_, outcome)] = heard.attempts
    assert (outcome.status, outcome.failure) == (0, Failure.CONNECT)
    assert heard.ends[0][0] == 502


async def test_each_attempt_is_told_once() -> None:
    retry = Retry("urn:retry", attempts=2, initial_delay_seconds=0.001)
    said = [answer(status="503 Busy"), answer(b"good")]
    async with backend(says(*said)) as one, backend(says(answer(b"two"))) as two:
        mesh = mesh_of(route(retry=retry), upstream(endpoint(one.port), endpoint(two.port, "two")))
        async with running(mesh) as gateway:
            heard = Heard().on(gateway)
            reader, writer = await gateway.connect()
            writer.write(GET)
            assert (await read_answer(reader)).body == b"two"
            writer.close()
    assert [(name, outcome.status, outcome.failure) for name, outcome in heard.attempts] == [
        ("one", 503, None),
        ("two", 200, None),
    ]
    assert len(heard.ends) == 1


async def test_failures_are_told_apart() -> None:
    async def cut(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        await asyncio.sleep(0.05)
        conversation.reset()

    async def silent(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(30)

    async def rude(_: Received, conversation: Conversation) -> None:
        conversation.reset()

    expected = ((cut, 200, Failure.RESET), (rude, 0, Failure.RESET), (silent, 0, Failure.TIMEOUT))
    for script, status, failure in expected:
        async with backend(script) as behind:
            mesh = mesh_of(route(timeout=Timeout("urn:timeout", 0.2)), upstream(endpoint(behind.port)))
            async with running(mesh) as gateway:
                heard = Heard().on(gateway)
                await raw(gateway.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        [(_, outcome)] = heard.attempts
        assert (outcome.status, outcome.failure) == (status, failure)
        assert len(heard.ends) == 1


async def test_a_client_that_leaves_says_nothing_of_the_endpoint() -> None:
    async def silent(_: Received, conversation: Conversation) -> None:
        await asyncio.sleep(30)

    async with (
        backend(silent) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway,
    ):
        heard = Heard().on(gateway)
        _, writer = await gateway.connect()
        writer.write(GET)
        await behind.arrived.wait()
        writer.close()
        async with asyncio.timeout(20):
            while not heard.ends:
                await asyncio.sleep(0.01)
    [(_, outcome)] = heard.attempts
    assert (outcome.status, outcome.failure) == (0, None)
    assert [status for status, _ in heard.ends] == [0]
