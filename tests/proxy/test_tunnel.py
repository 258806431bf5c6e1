"""WebSockets: a tunnel only after 101, and nothing of it before."""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.policies import read_endpoint, read_route
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
YES = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def echo(received: Received, conversation: Conversation) -> None:
    assert received.get("upgrade") == "websocket"
    assert received.get("connection") == "Upgrade"
    assert received.get("sec-websocket-key")
    await conversation.send(YES + b"hi")
    while data := await conversation.reader.read(65536):
        await conversation.send(data)
    conversation.writer.close()


async def test_bytes_pass_both_ways_after_101(kind: str) -> None:
    async with backend(echo) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(ASK)
            got = await read_head(reader)
            assert got.line == "HTTP/1.1 101 Switching Protocols"
            assert got.get("upgrade") == "websocket"
            assert str(got.get("connection")).lower() == "upgrade"
            assert got.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            assert await reader.readexactly(2) == b"hi"
            for size in (1, 1000, 300_000):
                message = bytes(size)
                writer.write(message)
                assert await asyncio.wait_for(reader.readexactly(size), 20) == message
            behind.closed.clear()
            writer.close()
            await asyncio.wait_for(behind.closed.wait(), 20)
            view, slots = gateway.store.view, gateway.layout.slots
            async with asyncio.timeout(20):
                while read_endpoint(view, slots["endpoint", "urn:test:endpoint:one"], 1).active:
                    await asyncio.sleep(0.005)
            totals = read_route(view, slots["route", "urn:test:route"], 1)
            assert totals.bytes_out >= 301_003


async def test_a_slow_client_stops_the_backend(kind: str) -> None:
    """The backend can say only as much as buffers hold, until the client reads on; then nothing is lost."""
    megabyte, most = b"x" * 2**20, 256
    said = 0

    async def talk(_: Received, conversation: Conversation) -> None:
        nonlocal said
        await conversation.send(YES)
        for _ in range(most):
            await conversation.send(megabyte)
            said += 1
        conversation.writer.close()

    async with (
        backend(talk) as behind,
        running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway,
    ):
        reader, writer = await gateway.connect()
        writer.write(ASK)
        await read_head(reader)
        before = -1
        while said != before:
            before = said
            await asyncio.sleep(0.25)
        assert said < most // 4
        left = most * 2**20
        async with asyncio.timeout(20):
            while left:
                left -= len(await reader.read(2**20))
        assert said == most
        writer.close()


async def test_half_closing_passes() -> None:
    async def until_end(_: Received, conversation: Conversation) -> None:
        await conversation.send(YES)
        data = await conversation.reader.read()
        await conversation.send(b"all: " + data)
        conversation.writer.close()

    async with backend(until_end) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        writer.write(ASK)
        await read_head(reader)
        writer.write(b"abc")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 20) == b"all: abc"
        writer.close()


async def test_nothing_goes_through_before_101() -> None:
    may = asyncio.Event()
    early: list[bytes] = []

    async def waits(_: Received, conversation: Conversation) -> None:
        await may.wait()
        early.append(bytes(conversation.reader._buffer))  # type: ignore[attr-defined]
        await conversation.send(YES)
        await conversation.send(await conversation.reader.readexactly(5))
        conversation.writer.close()

    async with backend(waits) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        writer.write(ASK + b"early")
        await asyncio.wait_for(behind.arrived.wait(), 20)
        await asyncio.sleep(0.05)
        may.set()
        await read_head(reader)
        assert await asyncio.wait_for(reader.read(), 20) == b"early"
        writer.close()
    assert early == [b""]


async def test_a_refusal_is_an_answer_and_early_bytes_are_no_request() -> None:
    async with backend(says(answer(b"no", "403 Forbidden"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(ASK)
            assert (await read_answer(reader)).body == b"no"
            writer.write(ASK + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader)).body == b"no"
            assert await reader.read() == b""
            writer.close()
    assert [request.line.split()[1] for request in behind.requests] == ["/chat", "/chat"]


async def test_a_backend_that_drops_the_tunnel_closes_the_client(kind: str) -> None:
    async def drops(_: Received, conversation: Conversation) -> None:
        await conversation.send(YES)
        await conversation.reader.read(1)
        conversation.reset()

    async with backend(drops) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(ASK)
            await read_head(reader)
            writer.write(b"x")
            try:
                assert await asyncio.wait_for(reader.read(), 20) == b""
            except ConnectionError:
                pass
            writer.close()
