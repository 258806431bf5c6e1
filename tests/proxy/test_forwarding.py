"""Requests and answers through the gateway, on a port of its own and inside an aiohttp application."""

from __future__ import annotations

import asyncio
import json

import pytest

from api_gateway_service_mesh.model import HeaderMatch, PathKind, PathMatch, RouteMatch
from tests.support.backend import Conversation, Received, answer, backend, read_answer, read_head, says
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream

KINDS = ["engine", "app"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def to(port: int) -> object:
    return mesh_of(route(), upstream(endpoint(port)))


async def test_request_and_answer_pass_through(kind: str) -> None:
    async with backend(says(answer(b"hello", fields="X-Own: a\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))) as behind:
        async with running(mesh_of(route(), upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET /a/b?c=d%20e HTTP/1.1\r\nHost: Shop.example:81\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
            got = await read_answer(reader)
            writer.close()
    assert got.line == "HTTP/1.1 200 OK"
    assert got.body == b"hello"
    assert got.get("x-own") == "a"
    assert got.all("set-cookie") == ["a=1", "b=2"]
    assert got.get("date")
    (sent,) = behind.requests
    assert sent.line == "GET /a/b?c=d%20e HTTP/1.1"
    assert sent.get("host") == "Shop.example:81"
    assert sent.all("x-a") == ["1", "2"]
    assert sent.get("via") == "1.1 agw"
    assert sent.get("x-forwarded-for") == "127.0.0.1"
    assert sent.get("x-forwarded-proto") == "http"
    assert sent.get("x-forwarded-host") == "Shop.example:81"
    assert sent.get("forwarded") == 'for=127.0.0.1;host="Shop.example:81";proto=http'
    assert sent.get("x-request-id")


async def test_connections_are_kept_on_both_sides(kind: str) -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
            reader, writer = await gateway.connect()
            for _ in range(5):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await read_answer(reader)).body == b"x"
            writer.close()
    assert behind.connections == 1
    ids = [request.get("x-request-id") for request in behind.requests]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 1_000_000])
async def test_bodies_both_ways_by_length(kind: str, size: int) -> None:
    body = bytes(index % 251 for index in range(size))

    async def echo(request: Received, conversation: Conversation) -> None:
        await conversation.send(answer(request.body))

    async with backend(echo) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert (await read_answer(reader)).body == body
        writer.close()


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"hello", b"world" * 1000], [b"x" * 65536] * 10])
async def test_bodies_both_ways_chunked(kind: str, pieces: list[bytes]) -> None:
    async def echo(request: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (request.body[:10], request.body[10:]):
            if piece:
                await conversation.send(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece))
        await conversation.send(b"0\r\nX-Trailer: dropped\r\n\r\n")

    async with backend(echo) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in pieces:
                writer.write(b"%x\r\n" % len(piece))
                await writer.drain()
                writer.write(piece + b"\r\n")
            writer.write(b"0\r\n\r\n")
            got = await read_answer(reader)
            assert got.body == b"".join(pieces)
            assert got.get("transfer-encoding") == "chunked"
        writer.close()
    assert behind.connections == 1
    assert behind.requests[0].get("transfer-encoding") == "chunked"


async def test_answer_without_framing_ends_with_the_connection(kind: str) -> None:
    async def until_close(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\n\r\nuntil ")
        await conversation.send(b"the end")
        conversation.writer.close()

    async with backend(until_close) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader)).body == b"until the end"
        writer.close()
    assert behind.connections == 2


async def test_head_has_no_body_and_keeps_its_length(kind: str) -> None:
    async def head(request: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")

    async with backend(head) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            got = await read_answer(reader, head_only=True)
            assert got.get("content-length") == "12345"
        writer.close()
    assert behind.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_statuses_without_body(kind: str, status: str) -> None:
    script = says(b"HTTP/1.1 %b\r\nETag: x\r\n\r\n" % status.encode())
    async with backend(script) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            got = await read_answer(reader)
            assert got.line == f"HTTP/1.1 {status}"
            assert got.get("transfer-encoding") is None
        writer.close()
    assert behind.connections == 1


async def test_http_1_0_clients_get_no_chunks(kind: str) -> None:
    script = says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    async with backend(script) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        got = await raw(gateway.port, b"GET / HTTP/1.0\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert body == b"abc"
    assert b"chunked" not in head.lower()
    assert behind.requests[0].get("via") == "1.0 agw"
    assert behind.requests[0].get("host") == f"127.0.0.1:{gateway.port}"


async def test_http_1_0_keep_alive_when_asked_for() -> None:
    async with backend(says(answer(b"x"))) as behind, running(to(behind.port)) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for _ in range(3):
            writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            got = await read_answer(reader)
            assert got.body == b"x"
            assert got.get("connection") == "keep-alive"
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nx")
        writer.close()


async def test_hop_by_hop_fields_end_here(kind: str) -> None:
    said = answer(
        b"x",
        fields="Connection: keep-alive, X-Gone\r\nKeep-Alive: timeout=5\r\nX-Gone: 1\r\nX-Stays: 1\r\nTrailer: X\r\n",
    )
    async with backend(says(said)) as behind, running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Secret, keep-alive, Authorization\r\nX-Secret: 1\r\nTE: trailers\r\n"
            b"Authorization: stays\r\nKeep-Alive: 1\r\nProxy-Connection: close\r\nX_Forwarded_For: 6.6.6.6\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\nX-Request-Id: forged\r\nForwarded: for=6.6.6.6\r\nX-Stays: 1\r\n\r\n"
        )
        got = await read_answer(reader)
        writer.close()
    assert got.get("x-stays") == "1"
    assert got.get("x-gone") is None
    assert got.get("trailer") is None
    (sent,) = behind.requests
    names = [name.lower() for name, _ in sent.fields]
    for gone in ("x-secret", "keep-alive", "proxy-connection", "x_forwarded_for"):
        assert gone not in names
    assert (sent.get("te"), sent.get("connection")) == ("trailers", "TE")  # said anew, of this connection
    assert sent.get("authorization") == "stays"
    assert sent.get("x-stays") == "1"
    assert sent.get("x-forwarded-for") == "127.0.0.1"
    assert sent.get("x-request-id") != "forged"
    assert "6.6.6.6" not in str(sent.fields)


async def test_a_trusted_proxy_is_believed(kind: str) -> None:
    async with backend(says(answer())) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), trusted_proxies=("127.0.0.0/8",), access_log=True)
        async with running(mesh, kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(
                b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9, 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
                b"X-Request-Id: mine\r\nForwarded: for=1.2.3.4\r\nVia: 1.1 edge\r\n\r\n"
            )
            await read_answer(reader)
            writer.close()
    (sent,) = behind.requests
    assert sent.get("x-forwarded-for") == "9.9.9.9, 1.2.3.4, 127.0.0.1"
    assert sent.get("x-forwarded-proto") == "https"
    assert sent.get("x-request-id") == "mine"
    assert sent.get("forwarded") == 'for=1.2.3.4, for=127.0.0.1;host="a";proto=http'
    assert sent.get("via") == "1.1 edge, 1.1 agw"
    line = json.loads(gateway.log[0])
    assert line["client"] == "1.2.3.4"
    assert line["request_id"] == "mine"
    assert line["route"] == "urn:test:route"
    assert line["status"] == 200
    assert line["revision"] == "1"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("1.2.3.4:4711", "1.2.3.4"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("9.9.9.9, 1.2.3.4:4711, 127.0.0.9:80", "1.2.3.4"),
        ("9.9.9.9\r\nX-Forwarded-For: 1.2.3.4", "1.2.3.4"),
        ("9.9.9.9, unknown", "127.0.0.1"),
        ("9.9.9.9,", "127.0.0.1"),
        ("1.2.3.4:80:80", "127.0.0.1"),
    ],
)
async def test_what_it_says_last_is_the_client(told: str, client: str) -> None:
    async with backend(says(answer())) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), trusted_proxies=("127.0.0.0/8",), access_log=True)
        async with running(mesh) as gateway:
            sent = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: {told}\r\n\r\n"
            await raw(gateway.port, sent.encode(), seconds=30)
            assert json.loads(gateway.log[0])["client"] == client


async def test_no_route_and_wrong_method_are_problems(kind: str) -> None:
    only_get = route(name="get", match=RouteMatch(PathMatch(PathKind.EXACT, "/a"), methods=("GET",)))
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh_of(only_get, upstream(endpoint(behind.port))), kind=kind) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            missing = await read_answer(reader)
            writer.write(b"PUT /a HTTP/1.1\r\nHost: a\r\n\r\n")
            wrong = await read_answer(reader)
            writer.write(b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
            right = await read_answer(reader, head_only=True)
            writer.close()
    problem = json.loads(missing.body)
    assert missing.line == "HTTP/1.1 404 Not Found"
    assert missing.get("content-type") == "application/problem+json"
    assert problem["type"] == "urn:agw:problem:no-route"
    assert problem["instance"] == f"urn:agw:request:{missing.get('x-request-id')}"
    assert wrong.line == "HTTP/1.1 405 Method Not Allowed"
    assert "GET" in str(wrong.get("allow"))
    assert right.line == "HTTP/1.1 200 OK"


async def test_header_predicates_route(kind: str) -> None:
    canary = route(
        name="canary",
        to="new",
        match=RouteMatch(PathMatch(PathKind.PREFIX, ""), headers=(HeaderMatch("urn:h", "x-canary", value="yes"),)),
    )
    async with backend(says(answer(b"old"))) as old, backend(says(answer(b"new"))) as new:
        mesh = mesh_of((route(), canary), upstream(endpoint(old.port)), upstream(endpoint(new.port, "two"), name="new"))
        async with running(mesh, kind=kind) as gateway:
            reader, writer = await gateway.connect()
            for value, expected in ((b"yes", b"new"), (b"no", b"old"), (b"yes", b"new")):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Canary: %b\r\n\r\n" % value)
                assert (await read_answer(reader)).body == expected
            writer.close()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def number(request: Received, conversation: Conversation) -> None:
        await asyncio.sleep(0.02 if request.line.startswith("GET /0") else 0)
        await conversation.send(answer(request.line.split()[1].encode()))

    async with backend(number) as behind, running(to(behind.port)) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % index for index in range(50)))
        for index in range(50):
            assert (await read_answer(reader)).body == b"/%d" % index
        writer.close()


async def test_a_request_split_at_every_byte_arrives_whole() -> None:
    async def echo(request: Received, conversation: Conversation) -> None:
        await conversation.send(answer(request.body))

    request = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n"
    async with backend(echo) as behind, running(to(behind.port)) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        for split in range(1, len(request)):
            writer.write(request[:split])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            writer.write(request[split:])
            assert (await read_answer(reader)).body == b"hello"
        writer.close()
    assert behind.connections == 1


async def test_expect_continue_is_the_backends_to_answer(kind: str) -> None:
    async def wait(request: Received, conversation: Conversation) -> None:
        assert request.get("expect") == "100-continue"
        if request.line.startswith("POST /no"):
            await conversation.send(answer(b"no", "417 Expectation Failed", "Connection: close\r\n"))
            conversation.writer.close()
            return
        await conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await conversation.send(answer(await conversation.reader.readexactly(5)))

    async with backend(wait, reads_body=False) as behind:
        async with running(to(behind.port), kind=kind) as gateway:  # type: ignore[arg-type]
            reader, writer = await gateway.connect()
            head = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            writer.write(head % b"yes")
            assert (await read_head(reader)).line == "HTTP/1.1 100 Continue"
            writer.write(b"hello")
            assert (await read_answer(reader)).body == b"hello"
            writer.write(head % b"no")
            got = await read_answer(reader)
            assert got.line == "HTTP/1.1 417 Expectation Failed"
            assert got.get("connection") == "close"
            writer.close()


async def test_early_hints_pass_and_are_bounded() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with backend(says(hint * 2 + answer(b"x"), hint * 40 + answer(b"x"))) as behind:
        async with running(to(behind.port)) as gateway:  # type: ignore[arg-type]
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert [(await read_head(reader)).line for _ in range(2)] == ["HTTP/1.1 103 Early Hints"] * 2
            assert (await read_answer(reader)).body == b"x"
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            got = await read_answer(reader)
            while " 103 " in got.line:
                got = await read_answer(reader)
            assert got.line == "HTTP/1.1 502 Bad Gateway"
            writer.close()


async def test_absolute_form_replaces_host() -> None:
    async with backend(says(answer())) as behind, running(to(behind.port)) as gateway:  # type: ignore[arg-type]
        reader, writer = await gateway.connect()
        writer.write(b"GET http://real.example:8080/p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        await read_answer(reader)
        writer.write(b"GET / HTTP/1.1\r\nHost: other\r\n\r\n")
        await read_answer(reader)
        writer.close()
    first, second = behind.requests
    assert first.line == "GET /p?q HTTP/1.1"
    assert first.get("host") == "real.example:8080"
    assert second.get("host") == "other"
