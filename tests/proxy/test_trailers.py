"""Trailers, between both versions of HTTP: to whom they go, which never do, and that they end where the body does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

import pytest

from api_gateway_service_mesh.model import (
    Compression,
    HttpProtocol,
    Mesh,
    RequestTransformation,
    ResponseTransformation,
    Retry,
)
from api_gateway_service_mesh.proxy.chunked import ChunkDecoder, ChunkError
from api_gateway_service_mesh.proxy.trailers import permitted
from tests.support.backend import read_head
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Asked, Client, Talk, backend2, fields_for

FORBIDDEN = (
    "Transfer-Encoding: chunked", "Content-Length: 99", "Host: evil.example", "Authorization: Basic eDp5",
    "Cookie: a=b", "Set-Cookie: a=b", "Connection: close", "TE: gzip", "Trailer: X", "Upgrade: websocket",
    "Expect: 100-continue", "Range: bytes=0-1", "If-Match: *", "Cache-Control: public", "Content-Type: text/html",
    "Content-Encoding: gzip", "Location: /evil", "WWW-Authenticate: Basic", "Proxy-Authorization: x", "Via: 9",
    "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Request-Id: forged", "X-JWT-Claim-Sub: root",
    "Access-Control-Allow-Origin: *", "Sec-Fetch-Site: none", "Strict-Transport-Security: max-age=0", "X_User: root",
    "Age: 0", "Vary: *", "Retry-After: 1", "Max-Forwards: 0", "X-HTTP-Method-Override: DELETE",
)  # fmt: skip


@dataclass
class Told:
    """One message of HTTP/1.1 as it was read, octet for octet."""

    head: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.head if key.lower() == name), None)


async def read(reader: asyncio.StreamReader) -> Told:
    head = await read_head(reader)
    told = Told(head.fields)
    if head.get("transfer-encoding") is None:
        told.body = await reader.readexactly(int(head.get("content-length") or 0))
        return told
    while size := int(await reader.readuntil(b"\r\n"), 16):
        told.body += (await reader.readexactly(size + 2))[:-2]
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line[:-2].decode("latin-1").partition(": ")
        told.trailers.append((name, value))
    return told


@dataclass
class Behind:
    """A backend of HTTP/1.1 that says `answer`, chunked with trailers."""

    trailers: tuple[str, ...] = ()
    port: int = 0
    requests: list[Told] = field(default_factory=list)
    connections: int = 0
    server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await read(reader))
                told = "".join(f"{line}\r\n" for line in self.trailers).encode("latin-1")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
                writer.write(b"4\r\nbody\r\n0\r\n" + told + b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def to(port: int, *, accepts: bool | None = None, second: bool = False, **more: object) -> Mesh:
    protocol = HttpProtocol.HTTP2 if second else HttpProtocol.HTTP1
    service = upstream(endpoint(port), protocol=protocol, accepts_trailers=accepts)
    return mesh_of(route(**more), service)  # type: ignore[arg-type]


async def ask(gateway: Running, *requests: bytes) -> list[Told]:
    """What the requests are answered, one after the other on one connection."""
    reader, writer = await gateway.connect()
    try:
        got = []
        for request in requests:
            writer.write(request)
            got.append(await read(reader))
        return got
    finally:
        writer.close()


def post(*trailers: str, head: str = "") -> bytes:
    behind = "".join(f"{line}\r\n" for line in trailers)
    return (
        f"POST / HTTP/1.1\r\nHost: a\r\n{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{behind}\r\n".encode()
    )


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
TAKES = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n"


async def test_an_answer_over_http1_has_them_where_the_client_takes_them() -> None:
    async with Behind(("X-Sum:  1 ", "x-more: \xe9", *FORBIDDEN)) as behind, running(to(behind.port)) as gateway:
        taken, dropped, again = await ask(gateway, TAKES, GET, TAKES)
    assert taken.trailers == again.trailers == [("x-sum", "1"), ("x-more", "\xe9")]
    assert dropped.trailers == [] and dropped.body == taken.body == b"body"
    assert [name for name, _ in taken.head if name.lower().startswith("x-") and name.lower() != "x-request-id"] == []
    assert [(one.get("te"), one.get("connection")) for one in behind.requests] == [
        ("trailers", "TE"), (None, None), ("trailers", "TE"),
    ]  # fmt: skip
    assert behind.connections == 1


async def test_a_client_of_http1_0_gets_none() -> None:
    async with Behind(("X-Sum: 1",)) as behind, running(to(behind.port)) as gateway:
        reader, writer = await gateway.connect()
        writer.write(b"GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n")
        text = await reader.read()
        writer.close()
    assert text.endswith(b"\r\n\r\nbody") and behind.requests[0].get("te") is None


async def test_an_answer_from_http1_to_a_client_of_http2() -> None:
    async with Behind(("X-Sum: 1", *FORBIDDEN)) as behind, running(to(behind.port)) as gateway:
        client = await Client.connect(gateway.port)
        taken = await client.answer(client.ask([*fields_for("/"), ("te", "trailers")]))
        dropped = await client.answer(client.ask(fields_for("/")))
        client.close()
    assert (taken.body, taken.trailers) == (b"body", [("x-sum", "1")])
    assert (dropped.body, dropped.trailers) == (b"body", [])
    assert [one.get("te") for one in behind.requests] == ["trailers", None]


async def test_an_answer_from_http2_to_a_client_of_http1() -> None:
    async def told(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, b"body", trailers=[("x-sum", "1"), ("via", "9"), ("x-evil_name", "1")])

    async with backend2(told) as behind, running(to(behind.port, second=True)) as gateway:
        taken, dropped, again = await ask(gateway, TAKES, GET, TAKES)
    assert taken.trailers == again.trailers == [("x-sum", "1")]
    assert (dropped.body, dropped.trailers) == (b"body", [])
    assert [asked.get("te") for asked in behind.requests] == ["trailers", None, "trailers"]


@pytest.mark.parametrize("accepts", [None, False, True])
async def test_a_requests_go_to_a_backend_that_is_said_to_take_them(accepts: bool | None) -> None:
    async with Behind() as behind, running(to(behind.port, accepts=accepts)) as gateway:
        await ask(gateway, post("X-Sum: 1", *FORBIDDEN, "X-Own: 2"), GET, post(), post("X-Late: 3"))
    whole, _, none, late = behind.requests
    assert whole.trailers == ([("x-sum", "1"), ("x-own", "2")] if accepts else [])
    assert (whole.body, none.body, late.body) == (b"hi", b"hi", b"hi")
    assert none.trailers == [] and late.trailers == ([("x-late", "3")] if accepts else [])
    assert behind.connections == 1


@pytest.mark.parametrize("accepts", [None, False, True])
async def test_a_requests_from_http1_to_http2(accepts: bool | None) -> None:
    async def told(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, asked.body)

    async with backend2(told) as behind, running(to(behind.port, accepts=accepts, second=True)) as gateway:
        await ask(gateway, post("X-Sum: 1", *FORBIDDEN), post(), post("Cookie: a=b"))
    assert [asked.trailers for asked in behind.requests] == [[("x-sum", "1")] if accepts is not False else [], [], []]
    assert [asked.body for asked in behind.requests] == [b"hi"] * 3


async def test_a_requests_from_http2_to_http1() -> None:
    async with Behind() as behind, running(to(behind.port, accepts=True)) as gateway:
        client = await Client.connect(gateway.port)
        stream = client.ask(fields_for("/", "POST"), b"hi", end=False)
        client.h2.send_headers(stream, [("x-sum", "1"), ("x-forwarded-for", "9.9.9.9")], end_stream=True)
        client.send()
        await client.answer(stream)
        client.close()
    (seen,) = behind.requests
    assert (seen.body, seen.trailers) == (b"hi", [("x-sum", "1")])


async def test_none_takes_the_place_of_a_field_of_the_head() -> None:
    """A backend that merges would take it for one: not what the head has, what Connection names, what is written or
    removed by a transformation, and no digest of a body that is another now."""
    changes = RequestTransformation(
        "urn:t", sets=(("X-Tenant", "one"),), removes=("x-gone",), copies=(("x-a", "X-Copy"),),
        sets_members=(("/a", "1"),),
    )  # fmt: skip
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Role: user\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    trailers = (
        b"X-Role: admin\r\nX-Tenant: two\r\nX-Gone: 1\r\nX-Copy: 2\r\nX-Hop: 3\r\nDigest: md5=x\r\nX-Kept: 4\r\n\r\n"
    )
    async with Behind() as behind:
        async with running(to(behind.port, accepts=True, request_transformation=changes)) as gateway:
            await ask(gateway, body + trailers)
    (seen,) = behind.requests
    assert seen.trailers == [("x-kept", "4")] and seen.body == b'{"a":1}'
    assert (seen.get("x-role"), seen.get("x-tenant")) == ("user", "one")


async def test_an_answers_neither() -> None:
    changes = ResponseTransformation("urn:t", sets=(("X-Set", "1"),), removes=("x-gone",))
    squeezed = Compression("urn:c", minimum_bytes=1)
    asked = b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nAccept-Encoding: gzip\r\n\r\n"
    async with Behind(("X-Set: 2", "X-Gone: 1", "Content-Digest: sha-256=:x:", "ETag: x", "X-Kept: 3")) as behind:
        async with running(to(behind.port, response_transformation=changes, compression=squeezed)) as gateway:
            (got,) = await ask(gateway, asked)
    assert got.get("content-encoding") == "gzip" and got.get("x-set") == "1"
    assert got.trailers == [("x-kept", "3")]


async def test_a_retry_says_them_again() -> None:
    tries = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        seen.append(await read(reader))
        status = b"503 No" if tries == 1 else b"200 OK"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        writer.close()

    seen: list[Told] = []
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    again = Retry("urn:r", attempts=2, retry_non_idempotent=True)
    async with server, running(to(port, accepts=True, retry=again)) as gateway:
        await ask(gateway, post("X-Sum: 1"))
    assert [one.trailers for one in seen] == [[("x-sum", "1")]] * 2


def test_what_follows_a_body_is_bounded() -> None:
    for trailers in (b"X: y\r\n" * 65, b"X: " + b"y" * 9000 + b"\r\n", b"a:\r\n" * 2000):
        with pytest.raises(ChunkError, match="trailer"):
            ChunkDecoder().feed(b"0\r\n" + trailers + b"\r\n")
    decoder = ChunkDecoder()
    decoder.feed(b"0\r\n" + b"X:\ty \r\n" * 64 + b"\r\n")
    assert decoder.trailers == [(b"x", b"y")] * 64 and decoder.done


@pytest.mark.parametrize("line", FORBIDDEN)
def test_forbidden(line: str) -> None:
    name, _, value = line.partition(": ")
    assert permitted([(name.lower().encode(), value.encode())]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x", b"a\r\nHost: evil"),
        (b"x", b"a\nb"),
        (b"x", b"\0"),
        (b"x: y\r\nz", b"a"),
        (b"", b"a"),
        (b"x y", b"a"),
        (b"X", b"a"),
    ],
)
def test_what_is_no_field_goes_nowhere(name: bytes, value: bytes) -> None:
    assert permitted([(name, value), (b"x-sum", b"1")]) == [(b"x-sum", b"1")]
