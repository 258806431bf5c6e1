"""Who sends or reads too slowly, or not at all, is given up in a bounded time, and what was held for them is let go.

Time is moved by hand: a sweep is `HOUSEKEEPING_SECONDS` of it.
"""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.model import Limits, Timeout
from api_gateway_service_mesh.proxy.core import HOUSEKEEPING_SECONDS, STALL_SECONDS
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream
from tests.support.http2 import Client, fields_for

PIECE = b"x" * 65536


async def pass_time(gateway: Running, seconds: float) -> None:
    """As if so much time had passed with nothing happening."""
    for _ in range(int(seconds / HOUSEKEEPING_SECONDS) + 1):
        for connection in list(gateway.engine.core().connections):
            connection.sweep()
    await asyncio.sleep(0.05)


async def quiet(gateway: Running) -> None:
    """Until nothing moves any more: all buffers on the way are full."""
    before, same = -1, 0
    while same < 4:
        exchanges = [getattr(one, "_exchange", None) for one in gateway.engine.core().connections]
        now = sum(one.bytes_out for one in exchanges if one is not None)
        same = same + 1 if now == before else 0
        before = now
        await asyncio.sleep(0.1)


async def test_an_answer_that_nobody_reads_is_given_up_on_both_sides() -> None:
    gone = asyncio.Event()

    async def endless(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                await conversation.send(PIECE)
        except ConnectionError:
            gone.set()

    async with backend(endless) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await quiet(gateway)
            await pass_time(gateway, STALL_SECONDS / 2)
            assert not gone.is_set()
            assert gateway.engine.connections == 1
            async with asyncio.timeout(10):
                while not gone.is_set():
                    await pass_time(gateway, STALL_SECONDS / 2 + 10)
            writer.close()


async def test_who_reads_goes_on_however_long_it_takes() -> None:
    async def slowly(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        for piece in (b"a", b"b", b"c"):
            await more.acquire()
            await conversation.send(piece)

    more = asyncio.Semaphore(0)
    async with backend(slowly) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await read_head(reader)
            for piece in (b"a", b"b", b"c"):
                await pass_time(gateway, STALL_SECONDS * 0.9)
                more.release()
                assert await asyncio.wait_for(reader.readexactly(1), 20) == piece
            writer.close()


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async with backend(says(answer(b"never")), reads_body=True) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
            await asyncio.sleep(0.1)
            await pass_time(gateway, STALL_SECONDS)
            got = await asyncio.wait_for(read_answer(reader), 20)
            assert got.line.startswith("HTTP/1.1 504")
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()


async def test_a_kept_connection_whose_last_answer_is_not_read_is_closed() -> None:
    limits = Limits(idle_timeout_seconds=60.0)
    async with backend(says(answer(PIECE * 200))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), limits=limits) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await quiet(gateway)
            async with asyncio.timeout(10):
                while gateway.engine.connections:
                    await pass_time(gateway, STALL_SECONDS + 60 + 10)
            writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX-"])
async def test_a_head_that_does_not_come_is_cut_at_the_header_timeout(said: bytes) -> None:
    limits = Limits(header_timeout_seconds=10.0)
    async with running(mesh_of(route(), upstream(endpoint(1))), limits=limits) as gateway:
        asking = asyncio.create_task(raw(gateway.port, said))
        async with asyncio.timeout(20):
            while not gateway.engine.connections:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await pass_time(gateway, 9)
        assert not asking.done()
        await pass_time(gateway, 10)
        got = await asyncio.wait_for(asking, 20)
        assert got.startswith(b"HTTP/1.1 408 ") if said else got == b""


HOUR = Timeout("urn:t", idle_seconds=3600.0)
MINUTE = Timeout("urn:t", idle_seconds=60.0)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def poll(gateway: Running, version: int) -> asyncio.Task[tuple[int, bytes]]:
    """Ask for what is not there yet; status and body."""

    async def first() -> tuple[int, bytes]:
        reader, writer = await gateway.connect()
        writer.write(b"GET /poll HTTP/1.1\r\nHost: a\r\n\r\n")
        got = await read_answer(reader)
        writer.close()
        return int(got.line.split(" ")[1]), got.body

    async def second() -> tuple[int, bytes]:
        client = await Client.connect(gateway.port)
        got = await client.fetch(fields_for("/poll"))
        client.close()
        return got.status, got.body

    return asyncio.create_task(first() if version == 1 else second())


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("timeout", "silent", "status"), [(HOUR, 3000, 200), (MINUTE, 70, 504), (None, STALL_SECONDS, 504)]
)
async def test_a_long_poll_waits_as_long_as_the_route_says(
    version: int, timeout: Timeout | None, silent: float, status: int
) -> None:
    asked, told = asyncio.Event(), asyncio.Event()

    async def late(_: Received, conversation: Conversation) -> None:
        asked.set()
        await told.wait()
        await conversation.send(answer(b"news"))

    async with backend(late) as behind:
        async with running(mesh_of(route(timeout=timeout), upstream(endpoint(behind.port)))) as gateway:
            asking = await poll(gateway, version)
            await asyncio.wait_for(asked.wait(), 20)
            await pass_time(gateway, silent)
            told.set()
            got = await asyncio.wait_for(asking, 20)
    assert got[0] == status
    assert (got[1] == b"news") is (status == 200)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_silent_stream_of_events_lives_as_long_as_the_route_says(version: int) -> None:
    more = asyncio.Semaphore(0)

    async def events(_: Received, conversation: Conversation) -> None:
        await conversation.send(STREAM)
        for number in range(3):
            await conversation.send(b"9\r\ndata: %d\n\n\r\n" % number)
            await more.acquire()
        await conversation.send(b"0\r\n\r\n")

    async with backend(events) as behind:
        async with running(mesh_of(route(timeout=HOUR), upstream(endpoint(behind.port)))) as gateway:
            if version == 1:
                reader, writer = await gateway.connect()
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
                await read_head(reader)
                for number in range(3):
                    event = await asyncio.wait_for(reader.readuntil(b"\n\n\r\n"), 20)
                    assert event.endswith(b"data: %d\n\n\r\n" % number)
                    await pass_time(gateway, 3000)  # ten times what is otherwise long enough
                    more.release()
                assert await asyncio.wait_for(reader.readexactly(5), 20) == b"0\r\n\r\n"
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await read_head(reader)
                await asyncio.wait_for(reader.readuntil(b"data: 0\n\n\r\n"), 20)
                await pass_time(gateway, 3700)
                rest = await asyncio.wait_for(reader.read(), 20)
                assert b"0\r\n\r\n" not in rest  # cut, not ended
                writer.close()
            else:
                client = await Client.connect(gateway.port)
                stream = client.ask([*fields_for("/"), ("accept-encoding", "gzip")])
                for number in range(3):
                    async with asyncio.timeout(20):
                        while not client.answers[stream].body.endswith(b"data: %d\n\n" % number):
                            await client.turn()
                    await pass_time(gateway, 3000)
                    more.release()
                got = await client.answer(stream)
                assert got.status == 200 and got.get("content-encoding") is None
                client.close()
