"""WebSockets over HTTP/2 (RFC 8441) on either side, and server-sent events, which nobody holds back."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha1

import h2.config
import pytest

from api_gateway_service_mesh.model import HttpProtocol
from api_gateway_service_mesh.policies import read_endpoint
from tests.support.backend import Conversation, Received, answer, backend, says
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Asked, Client, Talk, backend2, fields_for

WEBSOCKET = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    *fields_for("/chat")[1:],
    ("sec-websocket-version", "13"),
]


def proof(key: str) -> str:
    return b64encode(sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


async def echo(received: Received, talk: Conversation) -> None:
    assert received.get("upgrade") == "websocket" and received.get("connection") == "Upgrade"
    accept = proof(str(received.get("sec-websocket-key")))
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n"
    await talk.send(head.encode() + b"Sec-WebSocket-Protocol: chat\r\n\r\nhi")
    while data := await talk.reader.read(65536):
        await talk.send(data)
    talk.writer.close()


async def client_of(gateway: Running) -> Client:
    client = await Client.connect(gateway.port)
    client.h2.config = h2.config.H2Configuration(validate_outbound_headers=False)
    while client.h2.remote_settings.get(8) != 1:  # ENABLE_CONNECT_PROTOCOL
        await client.turn()
    return client


async def until(client: Client, stream: int, body: bytes) -> None:
    while len(client.answers[stream].body) < len(body):
        await client.turn()
    assert client.answers[stream].body == body


async def idle(gateway: Running) -> None:
    view, slots = gateway.store.view, gateway.layout.slots
    async with asyncio.timeout(20):
        while read_endpoint(view, slots["endpoint", "urn:test:endpoint:one"], 1).active:
            await asyncio.sleep(0.005)


async def test_over_http2_to_a_backend_of_http1() -> None:
    async with backend(echo) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            client = await client_of(gateway)
            stream = client.ask(WEBSOCKET, b"early", end=False)
            await until(client, stream, b"hiearly")
            got = client.answers[stream]
            assert got.status == 200
            assert (got.get("sec-websocket-protocol"), got.get("sec-websocket-accept")) == ("chat", None)
            assert got.get("upgrade") is None and got.get("connection") is None
            large = b"x" * 16000
            for number in range(20):
                client.h2.send_data(stream, large)
                client.send()
                await until(client, stream, b"hiearly" + large * (number + 1))
            client.h2.end_stream(stream)
            client.send()
            assert (await client.answer(stream)).reset in (None, 0)
            await idle(gateway)
            client.close()
    assert behind.requests[0].line == "GET /chat HTTP/1.1"


async def test_a_client_that_resets_closes_the_backend() -> None:
    async with backend(echo) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            client = await client_of(gateway)
            stream = client.ask(WEBSOCKET, end=False)
            await until(client, stream, b"hi")
            behind.closed.clear()
            client.h2.reset_stream(stream, 8)
            client.send()
            await asyncio.wait_for(behind.closed.wait(), 20)
            await idle(gateway)
            client.close()


async def test_a_backend_that_proves_nothing_gets_no_tunnel() -> None:
    async def liar(received: Received, talk: Conversation) -> None:
        await talk.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: nothing\r\n\r\n"
        )

    async with backend(liar) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            client = await client_of(gateway)
            got = await client.answer(client.ask(WEBSOCKET, end=False))
            assert (got.status, got.reset) == (0, 10)  # CONNECT_ERROR
            client.close()


async def test_without_101_it_is_an_answer() -> None:
    async with backend(says(answer(b"no", "403 Forbidden"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            client = await client_of(gateway)
            stream = client.ask(WEBSOCKET, end=False)
            while not client.answers[stream].body:
                await client.turn()
            assert client.answers[stream].status == 403
            client.close()


async def echo2(asked: Asked, talk: Talk) -> None:
    if asked.get(":path") == "/warm":
        return
    assert asked.fields[:2] == [(":method", "CONNECT"), (":protocol", "websocket")]
    talk.h2.send_headers(asked.stream, [(":status", "200")])
    talk.send()
    while asked.body != b"hello":
        await asyncio.sleep(0.005)
    talk.h2.send_data(asked.stream, asked.body)
    talk.send()


@pytest.mark.parametrize("version", [1, 2])
async def test_to_a_backend_of_http2(version: int) -> None:
    async with backend2(echo2, early=True) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(), service)) as gateway:
            # The backend's settings say that it knows extended CONNECT; they come with the first request.
            warm = await Client.connect(gateway.port)
            warm.ask(fields_for("/warm"))
            while not behind.requests:
                await asyncio.sleep(0.01)
            if version == 2:
                client = await client_of(gateway)
                stream = client.ask(WEBSOCKET, b"hello", end=False)
                await until(client, stream, b"hello")
                assert client.answers[stream].status == 200
                client.close()
            else:
                reader, writer = await gateway.connect()
                key = "dGhlIHNhbXBsZSBub25jZQ=="
                writer.write(
                    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\nhello" % key.encode()
                )
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                assert head.startswith(b"HTTP/1.1 101 ")
                assert f"Sec-WebSocket-Accept: {proof(key)}".encode() in head
                assert await asyncio.wait_for(reader.readexactly(5), 20) == b"hello"
                writer.close()
            warm.close()


@pytest.mark.parametrize("protocol", [HttpProtocol.HTTP1, HttpProtocol.HTTP2])
async def test_events_are_not_held_back(protocol: HttpProtocol) -> None:
    """The first event is there long before the second is said."""
    said = asyncio.Event()

    async def slow1(received: Received, talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await said.wait()
        await talk.send(b"data: 2\n\n")
        talk.writer.close()

    async def slow2(asked: Asked, talk: Talk) -> None:
        talk.h2.send_headers(asked.stream, [(":status", "200"), ("content-type", "text/event-stream")])
        talk.h2.send_data(asked.stream, b"data: 1\n\n")
        talk.send()
        await said.wait()
        talk.h2.send_data(asked.stream, b"data: 2\n\n", end_stream=True)
        talk.send()

    async with backend(slow1) as one, backend2(slow2) as two:
        port = one.port if protocol is HttpProtocol.HTTP1 else two.port
        async with running(mesh_of(route(), upstream(endpoint(port), protocol=protocol))) as gateway:
            client = await Client.connect(gateway.port)
            stream = client.ask(fields_for())
            await until(client, stream, b"data: 1\n\n")
            said.set()
            assert (await client.answer(stream)).body == b"data: 1\n\ndata: 2\n\n"
            client.close()
