"""Who sends or reads too slowly, or not at all, is given up in a bounded time, and what was held for them is let go.

Time is moved by hand: a sweep is `HOUSEKEEPING_SECONDS` of it.
"""

from __future__ import annotations

import asyncio

import pytest

from api_gateway_service_mesh.model import Limits
from api_gateway_service_mesh.proxy.core import HOUSEKEEPING_SECONDS, STALL_SECONDS
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import Running, endpoint, mesh_of, raw, route, running, upstream

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
