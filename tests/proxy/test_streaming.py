"""Bodies much larger than any buffer, slow readers, and what that costs in memory."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

SIZE = 64 * 1024 * 1024
PIECE = b"0123456789abcdef" * 4096


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_big_answer_to_a_slow_reader_is_not_buffered(kind: str) -> None:
    sent = 0

    async def stream(_: Received, conversation: Conversation) -> None:
        nonlocal sent
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        while sent < SIZE:
            await conversation.send(PIECE)
            sent += len(PIECE)

    async with backend(stream) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=65536)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await read_head(reader)
            before = -1
            while sent != before:  # until everything between stands still
                before = sent
                await asyncio.sleep(0.1)
            assert sent < SIZE // 2
            tracemalloc.start()
            received = 0
            while received < SIZE:
                received += len(await reader.read(65536))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            writer.close()
    assert received == SIZE
    assert peak < 8 * 1024 * 1024


async def test_a_big_request_to_a_slow_backend_is_not_buffered(kind: str) -> None:
    go = asyncio.Event()

    async def slow(received: Received, conversation: Conversation) -> None:
        await go.wait()
        left = int(received.get("content-length") or 0)
        while left:
            left -= len(await conversation.reader.read(min(left, 65536)))
        await conversation.send(answer(b"done"))

    size = SIZE
    written = 0
    async with backend(slow, reads_body=False) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()

            async def send() -> None:
                nonlocal written
                writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
                while written < size:
                    writer.write(PIECE)
                    await writer.drain()
                    written += len(PIECE)

            sending = asyncio.create_task(send())
            before = -1
            while written != before:
                before = written
                await asyncio.sleep(0.1)
            assert written < size // 2
            go.set()
            await asyncio.wait_for(sending, 30)
            assert (await read_answer(reader)).body == b"done"
            writer.close()


async def test_events_pass_at_once(kind: str) -> None:
    said = asyncio.Event()

    async def events(_: Received, conversation: Conversation) -> None:
        await conversation.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for index in range(3):
            await conversation.send(b"9\r\ndata: %d\n\n\r\n" % index)
            await said.wait()
            said.clear()
        await conversation.send(b"0\r\n\r\n")

    async with backend(events) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await read_head(reader)
            for index in range(3):
                assert await asyncio.wait_for(reader.readuntil(b"\n\n\r\n"), 20) == b"9\r\ndata: %d\n\n\r\n" % index
                said.set()
            assert await reader.readexactly(5) == b"0\r\n\r\n"
            writer.close()


async def test_requests_pipelined_by_one_who_does_not_read_stop_being_taken() -> None:
    async def big(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(PIECE))

    async with backend(big) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=65536)
            count = 400
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * count)
            before = -1
            while len(behind.requests) != before:
                before = len(behind.requests)
                await asyncio.sleep(0.1)
            assert before < count
            for _ in range(count):
                assert len((await read_answer(reader)).body) == len(PIECE)
            writer.close()
