"""Bounds on WebSockets on real sockets: how many, for how long, and what is counted of their ends."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest

from api_gateway_service_mesh.model import WebSocketBounds
from api_gateway_service_mesh.policies.websocket import WebSocketPlaces
from tests.support.backend import Conversation, Received, backend, read_answer, read_head
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
YES = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def echo(_: Received, conversation: Conversation) -> None:
    await conversation.send(YES)
    while data := await conversation.reader.read(65536):
        await conversation.send(data)
    conversation.writer.close()


def places_of(gateway: Running, bounds: WebSocketBounds) -> WebSocketPlaces:
    return WebSocketPlaces(gateway.store.view, gateway.layout.slots["websocket", bounds.iri], bounds.maximum)


async def opened(gateway: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await gateway.connect()
    writer.write(ASK)
    assert (await read_head(reader)).line.startswith("HTTP/1.1 101")
    return reader, writer


async def refused(gateway: Running) -> tuple[str, str]:
    reader, writer = await gateway.connect()
    writer.write(ASK)
    got = await read_answer(reader)
    writer.close()
    return got.line.split()[1], json.loads(got.body)["type"]


async def until_open(places: WebSocketPlaces, count: int) -> None:
    async with asyncio.timeout(20):
        while places.open != count:
            await asyncio.sleep(0.005)


async def test_as_many_as_may_be() -> None:
    bounds = WebSocketBounds("urn:chat", maximum=2)
    async with backend(echo) as behind:
        mesh = mesh_of(route(websocket=bounds), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            places = places_of(gateway, bounds)
            first, second = await opened(gateway), await opened(gateway)
            assert places.open == 2
            assert await refused(gateway) == ("503", "urn:agw:problem:too-many-websockets")
            # A close frame as a client says it: masked, with code 1001.
            first[1].write(b"\x88\x82abcd" + bytes(x ^ y for x, y in zip(struct.pack("!H", 1001), b"ab", strict=True)))
            await first[0].readexactly(8)
            first[1].close()
            await until_open(places, 1)
            third = await opened(gateway)
            for _, writer in (second, third):
                writer.close()
            await until_open(places, 0)
            assert dict(places.codes()) == {"1001": 1, "1006": 2}
            assert (places.opened_total, places.refused_total) == (3, 1)
            lines = [json.loads(line) for line in gateway.log]
    told = [line for line in lines if line["status"] == 503]
    assert told[0]["flags"] == ["WS"] and told[0]["refused_by"] == bounds.iri


async def test_a_route_that_takes_none_serves_all_else() -> None:
    bounds = WebSocketBounds("urn:none", allowed=False)

    async def hello(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with backend(hello) as behind:
        async with running(mesh_of(route(websocket=bounds), upstream(endpoint(behind.port)))) as gateway:
            assert await refused(gateway) == ("403", "urn:agw:problem:websocket-forbidden")
            assert behind.requests == []
            reader, writer = await gateway.connect()
            writer.write(b"GET /chat HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader)).body == b"hi"
            writer.close()


async def test_a_handshake_that_fails_gives_its_place_back() -> None:
    bounds = WebSocketBounds("urn:chat", maximum=1)

    async def no(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with backend(no) as behind:
        async with running(mesh_of(route(websocket=bounds), upstream(endpoint(behind.port)))) as gateway:
            for _ in range(3):
                reader, writer = await gateway.connect()
                writer.write(ASK)
                assert (await read_answer(reader)).line.split()[1] == "400"
                writer.close()
            places = places_of(gateway, bounds)
            assert (places.open, places.opened_total, dict(places.codes())) == (0, 0, {})


@pytest.mark.parametrize("bound", ["idle", "age"])
async def test_who_says_nothing_and_who_stays_too_long_is_closed(bound: str) -> None:
    bounds = WebSocketBounds("urn:chat", **{f"{bound}_seconds": 0.8})  # type: ignore[arg-type]
    async with backend(echo) as behind:
        mesh = mesh_of(route(websocket=bounds), upstream(endpoint(behind.port)), access_log=True)
        async with running(mesh) as gateway:
            places = places_of(gateway, bounds)
            reader, writer = await opened(gateway)
            began = asyncio.get_running_loop().time()
            # Speaking keeps it open, unless it is old.
            with_life = 0
            try:
                while asyncio.get_running_loop().time() < began + 2.0:
                    writer.write(b"ping")
                    if not await reader.read(4):
                        break
                    with_life += 1
                    await asyncio.sleep(0.02)
                if bound == "idle":
                    assert with_life > 10 and places.open == 1
                    async with asyncio.timeout(20):
                        assert await reader.read() == b""
            except ConnectionError:
                pass
            await until_open(places, 0)
            assert places.timed_out_total == ((1, 0) if bound == "idle" else (0, 1))
            async with asyncio.timeout(20):
                while not gateway.log:
                    await asyncio.sleep(0.01)
            assert "the WebSocket was" in gateway.log[-1]
            writer.close()
