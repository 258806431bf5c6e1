"""What breaks behind the gateway, and what the client gets to see of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from api_gateway_service_mesh.model import Breaker, ConnectionPool, Retry, SplitTarget, Timeout
from api_gateway_service_mesh.model.mtls import MtlsMode
from api_gateway_service_mesh.policies import read_endpoint, read_route
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
QUICK = Retry("urn:retry", attempts=2, initial_delay_seconds=0.001)


@pytest.fixture(params=["engine", "app"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def problem_of(got: Received) -> str:
    assert got.get("content-type") == "application/problem+json"
    document = json.loads(got.body)
    assert document["status"] == int(got.line.split()[1])
    return str(document["type"]).removeprefix("urn:agw:problem:")


async def test_nothing_listens(kind: str) -> None:
    async with backend(says(answer())) as gone:
        pass
    mesh = mesh_of(route(), upstream(endpoint(gone.port)), access_log=True)
    async with running(mesh, kind=kind) as gateway:
        reader, writer = await gateway.connect()
        writer.write(GET)
        got = await read_answer(reader)
        assert got.line == "HTTP/1.1 502 Bad Gateway"
        assert problem_of(got) == "upstream-connect-failure"
        assert json.loads(got.body)["route"] == "urn:test:route"
        assert str(gone.port).encode() not in got.body, "where the backend is, is nobody's business outside"
        writer.close()
        line = json.loads(gateway.log[0])
        assert line["reason"] == f"no connection to 127.0.0.1:{gone.port}: Connection refused"


async def test_no_backend_at_all(kind: str) -> None:
    strict = upstream(endpoint(1), name="strict", mtls_mode=MtlsMode.STRICT)
    routes = (
        route("/none", "none", to=None),
        route("/empty", "empty"),
        route("/strict", "strict", to="strict"),
    )
    async with running(mesh_of(routes, upstream(), strict), kind=kind) as gateway:
        reader, writer = await gateway.connect()
        for path, problem in (("none", "no-upstream"), ("empty", "no-endpoint"), ("strict", "plaintext-forbidden")):
            writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            got = await read_answer(reader)
            assert got.line == "HTTP/1.1 503 Service Unavailable"
            assert problem_of(got) == problem
        writer.close()


FULL = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: b\r\n\r\n0123456789"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"


@pytest.mark.parametrize("full", [FULL, CHUNKED], ids=["length", "chunked"])
async def test_an_answer_cut_at_every_byte_never_looks_whole(full: bytes) -> None:
    head = full.index(b"\r\n\r\n") + 4
    cut = 0

    async def partly(_: Received, conversation: Conversation) -> None:
        await conversation.send(full[:cut])
        await asyncio.sleep(0.001)
        conversation.reset()

    async with backend(partly) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        for cut in range(len(full)):
            got = await raw(
                gateway.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            if cut < head:
                assert got.startswith(b"HTTP/1.1 502 "), (cut, got)
            else:
                assert got.startswith(b"HTTP/1.1 200 "), (cut, got)
                body = got.partition(b"\r\n\r\n")[2]
                assert not body.endswith(b"0\r\n\r\n"), (cut, got)
                assert body != b"0123456789", (cut, got)
        totals = read_endpoint(gateway.store.view, gateway.layout.slots["endpoint", "urn:test:endpoint:one"], 1)
    assert totals.active == 0
    assert totals.connections == 0
    assert len(behind.requests) == len(full)


BAD_ANSWERS = {
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
    "long length": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\nx",
    "gzip coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\nx",
    "bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\nx",
    "NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\nx",
    "version 2": b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "status 99": b"HTTP/1.1 099 OK\r\nContent-Length: 1\r\n\r\nx",
    "status word": b"HTTP/1.1 OK\r\nContent-Length: 1\r\n\r\nx",
    "no http": b"SSH-2.0-OpenSSH\r\n",
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
}


@pytest.mark.parametrize("said", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_bad_answers_are_502(said: bytes) -> None:
    async with backend(says(said)) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        writer.write(GET)
        got = await read_answer(reader)
        assert got.line == "HTTP/1.1 502 Bad Gateway"
        assert problem_of(got) in ("upstream-bad-answer", "upstream-reset")
        writer.write(GET)
        assert (await read_answer(reader)).line == "HTTP/1.1 502 Bad Gateway"
        writer.close()
    assert behind.connections == 2


BAD_CHUNKS = {
    "no size": b"\r\nabc\r\n",
    "bad size": b"xyz\r\n",
    "negative": b"-1\r\n",
    "huge": b"fffffffffffffffff\r\n",
    "too long": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF": b"3\nabc\r\n0\r\n\r\n",
    "space": b"3 \r\nabc\r\n0\r\n\r\n",
    "extension": b"3;a=\x01\r\nabc\r\n0\r\n\r\n",
    "trailer": b"3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
}


@pytest.mark.parametrize("said", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
async def test_bad_chunks_cut_the_answer(said: bytes) -> None:
    script = says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + said)
    async with backend(script) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        got = await raw(gateway.port, GET)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("said", "reused"),
    [
        (answer(b"x"), True),
        (answer(b"x", fields="Connection: close\r\n"), False),
        (answer(b"x") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", False),
        (answer(b"x") + b"\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
async def test_a_connection_serves_again_only_when_its_answer_ended_exactly(said: bytes, reused: bool) -> None:
    async with backend(says(said)) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(GET)
            got = await read_answer(reader)
            assert got.body == b"x"
        writer.close()
    assert behind.connections == (1 if reused else 2)


async def test_bytes_on_an_idle_connection_poison_nobody() -> None:
    async def late(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(b"x"))
        await asyncio.sleep(0.02)
        await conversation.send(answer(b"forged"))

    async with backend(late) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        for _ in range(3):
            reader, writer = await gateway.connect()
            writer.write(GET)
            assert (await read_answer(reader)).body == b"x"
            writer.close()
            await asyncio.sleep(0.05)
    assert behind.connections == 3


async def test_an_early_answer_closes_both_sides() -> None:
    async def early(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(b"enough", "413 Content Too Large"))

    async with backend(early, reads_body=False) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
            got = await read_answer(reader)
            assert got.line == "HTTP/1.1 413 Content Too Large"
            assert got.get("connection") == "close"
            assert await reader.read() == b""
            writer.close()
            reader, writer = await gateway.connect()
            writer.write(GET)
            await read_answer(reader)
            writer.close()
    assert behind.connections == 2


async def test_a_stale_connection_is_retried_once_for_idempotent_requests_only() -> None:
    async def closes_after(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(b"x"))
        if conversation.number == 1:
            await conversation.reader.readexactly(1)  # the next request begins to arrive
            conversation.reset()

    async with backend(closes_after) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(GET)
            assert (await read_answer(reader)).body == b"x"
        writer.close()
    assert behind.connections == 2
    async with backend(closes_after) as behind, running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
        reader, writer = await gateway.connect()
        writer.write(GET)
        assert (await read_answer(reader)).body == b"x"
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        assert (await read_answer(reader)).line == "HTTP/1.1 502 Bad Gateway"
        writer.close()
    assert behind.connections == 1


async def test_retries_reach_a_good_answer(kind: str) -> None:
    script = says(answer(b"", "503 Service Unavailable"), answer(b"", "502 Bad Gateway"), answer(b"good"))
    async with backend(script) as behind:
        async with running(mesh_of(route(retry=QUICK), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
            assert (await read_answer(reader)).body == b"good"
            writer.close()
    assert [request.body for request in behind.requests] == [b"body"] * 3


async def test_retries_end(kind: str) -> None:
    async with backend(says(answer(b"no", "503 Service Unavailable"))) as behind:
        async with running(mesh_of(route(retry=QUICK), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            got = await read_answer(reader)
            assert (got.line, got.body) == ("HTTP/1.1 503 Service Unavailable", b"no")
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
            await read_answer(reader)
            writer.close()
    assert [request.line.split()[0] for request in behind.requests] == ["GET"] * 3 + ["POST"]


async def test_a_post_goes_elsewhere_when_nobody_listens() -> None:
    async with backend(says(answer())) as gone:
        pass
    async with backend(says(answer(b"x"))) as behind:
        both = upstream(endpoint(gone.port, "gone"), endpoint(behind.port, "there"))
        async with running(mesh_of(route(retry=QUICK), both)) as gateway:
            reader, writer = await gateway.connect()
            for _ in range(4):
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
                assert (await read_answer(reader)).body == b"x"
            writer.close()
    assert len(behind.requests) == 4


async def test_a_big_body_is_not_sent_twice() -> None:
    async def breaks(_: Received, conversation: Conversation) -> None:
        conversation.reset()

    size = 200_000
    async with backend(breaks) as behind:
        async with running(mesh_of(route(retry=QUICK), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            assert (await read_answer(reader)).line == "HTTP/1.1 502 Bad Gateway"
            writer.close()
    assert len(behind.requests) == 1


async def silence(_: Received, conversation: Conversation) -> None:
    await conversation.reader.read()


async def test_timeouts(kind: str) -> None:
    total = route("/total", "total", timeout=Timeout("urn:t", total_seconds=0.1))
    attempts = route("/each", "each", timeout=Timeout("urn:t", total_seconds=5, per_attempt_seconds=0.1), retry=QUICK)
    async with backend(silence) as behind:
        async with running(mesh_of((total, attempts), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            for path, requests in (("total", 1), ("each", 3)):
                before = len(behind.requests)
                writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                got = await read_answer(reader)
                assert got.line == "HTTP/1.1 504 Gateway Timeout"
                assert problem_of(got) == "timeout"
                assert len(behind.requests) - before == requests
            writer.close()
            while behind.open:
                behind.closed.clear()
                await asyncio.wait_for(behind.closed.wait(), 20)


async def test_breaker_opens_and_closes(kind: str) -> None:
    bad = True

    async def sometimes(_: Received, conversation: Conversation) -> None:
        await conversation.send(answer(b"", "500 Internal Server Error") if bad else answer(b"good"))

    breaker = Breaker("urn:breaker", failure_threshold=3, open_seconds=0.2)
    async with backend(sometimes) as behind:
        async with running(mesh_of(route(breaker=breaker), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()

            async def status() -> str:
                nonlocal got
                writer.write(GET)
                got = await read_answer(reader)
                return got.line.split()[1]

            got = Received("", [])
            assert [await status() for _ in range(5)] == ["500"] * 3 + ["503"] * 2
            assert problem_of(got) == "circuit-open"
            assert int(str(got.get("retry-after"))) == 1
            assert len(behind.requests) == 3
            bad = False
            await asyncio.sleep(0.25)
            assert [await status() for _ in range(3)] == ["200"] * 3
            writer.close()


async def test_split_shares() -> None:
    splits = (SplitTarget("urn:s1", "urn:test:old", 80), SplitTarget("urn:s2", "urn:test:new", 20))
    async with backend(says(answer(b"old"))) as old, backend(says(answer(b"new"))) as new:
        mesh = mesh_of(
            route(to=None, splits=splits),
            upstream(endpoint(old.port, "a"), name="old"),
            upstream(endpoint(new.port, "b"), name="new"),
        )
        async with running(mesh) as gateway:
            reader, writer = await gateway.connect()
            for _ in range(500):
                writer.write(GET)
                await read_answer(reader)
            writer.close()
    assert len(old.requests) + len(new.requests) == 500
    assert 50 <= len(new.requests) <= 150


async def test_instances_take_turns() -> None:
    async with backend(says(answer(b"a"))) as one, backend(says(answer(b"b"))) as two:
        async with running(mesh_of(route(), upstream(endpoint(one.port, "a"), endpoint(two.port, "b")))) as gateway:
            reader, writer = await gateway.connect()
            bodies = []
            for _ in range(4):
                writer.write(GET)
                bodies.append((await read_answer(reader)).body)
            writer.close()
    assert sorted(bodies) == [b"a", b"a", b"b", b"b"]
    assert bodies[0] != bodies[1]


async def test_a_client_that_leaves_takes_its_request_along(kind: str) -> None:
    async with backend(silence) as behind:
        breaker = Breaker("urn:breaker", failure_threshold=1)
        async with running(mesh_of(route(breaker=breaker), upstream(endpoint(behind.port))), kind=kind) as gateway:
            _, writer = await gateway.connect()
            writer.write(GET)
            await asyncio.wait_for(behind.arrived.wait(), 20)
            behind.closed.clear()
            writer.close()
            await asyncio.wait_for(behind.closed.wait(), 20)
            view, slots = gateway.store.view, gateway.layout.slots
            async with asyncio.timeout(20):
                while read_endpoint(view, slots["endpoint", "urn:test:endpoint:one"], 1).active:
                    await asyncio.sleep(0.005)
            totals = read_route(view, slots["route", "urn:test:route"], 1)
            assert totals.unanswered == 1
            assert view[slots["breaker", breaker.iri]] == 0.0


async def test_connections_are_bounded_and_requests_wait_in_line() -> None:
    busy = most = 0

    async def slowly(_: Received, conversation: Conversation) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        await conversation.send(answer(b"x"))

    pool = ConnectionPool(max_connections=3)
    async with backend(slowly) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool))) as gateway:
            answers = await asyncio.gather(
                *(raw(gateway.port, GET[:-2] + b"Connection: close\r\n\r\n") for _ in range(20))
            )
    assert all(got.endswith(b"x") for got in answers)
    assert most == 3
    assert behind.connections == 3


async def test_an_idle_connection_expires() -> None:
    pool = ConnectionPool(idle_timeout_seconds=0.1)
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port), pool=pool))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await read_answer(reader)
            await asyncio.wait_for(behind.closed.wait(), 20)
            writer.write(GET)
            assert (await read_answer(reader)).body == b"x"
            writer.close()
    assert behind.connections == 2


async def test_broken_chunks_from_the_client_reach_nobody() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port)))) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            async with asyncio.timeout(20):
                while not behind.heads:
                    await asyncio.sleep(0.005)
            writer.write(b"zz\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            got = await read_head(reader)
            assert got.line == "HTTP/1.1 400 Bad Request"
            assert got.get("connection") == "close"
            await reader.read()
            writer.close()
    assert behind.requests == []
