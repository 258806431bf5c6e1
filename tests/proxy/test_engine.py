"""Tables swapped under load, draining, and the rules of construction."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from api_gateway_service_mesh.model import RateLimit
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_tables_are_swapped_under_load_without_a_failed_request() -> None:
    async with backend(says(answer(b"old"))) as old, backend(says(answer(b"new"))) as new:
        first = mesh_of(route(), upstream(endpoint(old.port)))
        second = mesh_of(route(), upstream(endpoint(new.port)))
        seen: list[bytes] = []
        stop = False

        async def client(port: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while not stop:
                writer.write(GET)
                got = await read_answer(reader)
                assert got.line == "HTTP/1.1 200 OK"
                seen.append(got.body)
            writer.close()

        async with running(first) as gateway:
            clients = [asyncio.create_task(client(gateway.port)) for _ in range(8)]
            for index in range(100):
                gateway.install(second if index % 2 == 0 else first, str(index))
                await asyncio.sleep(0.005)
            gateway.install(second, "last")
            await asyncio.sleep(0.05)
            mark = len(seen)
            await asyncio.sleep(0.05)
            stop = True
            await asyncio.gather(*clients)
            assert gateway.engine.revision == "last"
    assert set(seen) == {b"old", b"new"}
    assert set(seen[mark:]) == {b"new"}


async def test_a_request_finishes_on_the_table_it_began_with() -> None:
    go = asyncio.Event()

    async def waits(_: Received, conversation: Conversation) -> None:
        await go.wait()
        await conversation.send(answer(b"old"))

    async with backend(waits) as old:
        async with running(mesh_of(route(), upstream(endpoint(old.port)), access_log=True)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await asyncio.wait_for(old.arrived.wait(), 20)
            gateway.install(mesh_of((), access_log=True))
            go.set()
            assert (await read_answer(reader)).body == b"old"
            writer.write(GET)
            assert (await read_answer(reader)).line == "HTTP/1.1 404 Not Found"
            writer.close()
            await asyncio.wait_for(old.closed.wait(), 20)  # the pool of an upstream that is gone keeps nothing
    assert [line.split('"revision":"')[1][0] for line in gateway.log] == ["1", "2"]


async def test_pools_and_limits_outlive_a_reload() -> None:
    limit = RateLimit("urn:limit", 0.01, 2)
    async with backend(says(answer(b"x"))) as behind:
        mesh = mesh_of(route(rate_limits=(limit,)), upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            reader, writer = await gateway.connect()
            lines = []
            for _ in range(3):
                writer.write(GET)
                lines.append((await read_answer(reader)).line.split()[1])
                gateway.install(mesh_of((*mesh.routes, route("/other", f"more{len(lines)}")), *mesh.upstreams))
            writer.close()
    assert lines == ["200", "200", "429"]
    assert behind.connections == 1


async def test_drain_finishes_what_is_under_way() -> None:
    go = asyncio.Event()

    async def waits(_: Received, conversation: Conversation) -> None:
        await go.wait()
        await conversation.send(answer(b"done"))

    async with backend(waits) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        idle_reader, idle_writer = await gateway.connect()
        idle_writer.write(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        reader, writer = await gateway.connect()
        writer.write(GET)
        async with asyncio.timeout(20):
            while len(behind.requests) < 2:
                await asyncio.sleep(0.005)
        late_reader, late_writer = await gateway.connect()
        await asyncio.sleep(0.02)
        draining = asyncio.create_task(gateway.engine.drain(5))
        assert await asyncio.wait_for(late_reader.read(), 20) == b""
        late_writer.close()
        go.set()
        for one in (reader, idle_reader):
            got = await read_answer(one)
            assert got.body == b"done"
            assert got.get("connection") == "close"
            assert await one.read() == b""
        await asyncio.wait_for(draining, 20)
        writer.close()
        idle_writer.close()
        try:
            await gateway.connect()
        except OSError:
            pass
        else:
            raise AssertionError("it still accepts")


async def test_drain_is_bounded() -> None:
    async def never(_: Received, conversation: Conversation) -> None:
        await conversation.reader.read()

    async with backend(never) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        writer.write(GET)
        await asyncio.wait_for(behind.arrived.wait(), 20)
        await asyncio.wait_for(gateway.engine.drain(0.1), 20)
        try:
            assert await reader.read() == b""
        except ConnectionError:
            pass
        writer.close()


async def test_handlers_are_folded_ahead_of_their_first_request() -> None:
    many = tuple(route(f"/{number}", f"r{number}") for number in range(300))
    async with running(mesh_of(many, upstream(endpoint(1)))) as gateway:
        core = gateway.engine.core()
        first = core.generation
        assert first is not None
        assert None in first.handlers
        gateway.install(mesh_of(many[:200], upstream(endpoint(1))))
        async with asyncio.timeout(10):
            while core.generation is None or None in core.generation.handlers:
                await asyncio.sleep(0.01)
        assert first.handlers.count(None) == 300  # nobody will ask a table that was replaced at once


async def test_no_table_yet() -> None:
    async with running(mesh_of(())) as gateway:
        gateway.engine.core().generation = None
        reader, writer = await gateway.connect()
        writer.write(GET)
        assert (await read_head(reader)).line == "HTTP/1.1 503 Service Unavailable"
        writer.close()


def test_the_python_parser_is_refused() -> None:
    code = (
        "from api_gateway_service_mesh.proxy import Engine\n"
        "from api_gateway_service_mesh.policies import CellStore\n"
        "Engine(cells=CellStore.local(64))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    assert ran.returncode != 0
    assert "AIOHTTP_NO_EXTENSIONS makes aiohttp use its Python parser" in ran.stderr
