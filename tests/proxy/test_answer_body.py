"""JSON bodies of answers that are changed, on real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import httpx
import pytest

from api_gateway_service_mesh.model import (
    Breaker,
    Cache,
    Compression,
    HttpProtocol,
    Mirror,
    RequestTransformation,
    ResponseTransformation,
    Retry,
)
from api_gateway_service_mesh.proxy.answer_body import unzipped
from tests.support.asking import ask, one_route
from tests.support.backend import Conversation, Received, Script, answer, backend, says
from tests.support.gateway import endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Asked, Client, Talk, backend2, fields_for

TOLD = ResponseTransformation(
    "urn:out", removes_members=("/secret",), renames_members=(("/mail", "email"),), sets_members=(("/by", '"agw"'),)
)
SAID = b'{"mail": "a", "secret": 1}'
CHANGED = b'{"email":"a","by":"agw"}'
JSON = "Content-Type: application/json\r\n"
DIGESTS = "Content-MD5: AAAA\r\nContent-Digest: sha-256=:AAAA:\r\nRepr-Digest: sha-256=:AAAA:\r\nDigest: a=b\r\n"


def in_pieces(*pieces: bytes, fields: str = JSON, length: int | None = None, end: bool = True) -> Script:
    """A body that comes slowly, in chunks (or with a length)."""

    async def script(_: Received, conversation: Conversation) -> None:
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        await conversation.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n{fields}\r\n".encode())
        for piece in pieces:
            await asyncio.sleep(0.01)
            await conversation.send(piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        if end and length is None:
            await conversation.send(b"0\r\n\r\n")
        elif not end:
            conversation.reset()

    return script


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_body_is_changed_and_what_is_said_of_it(kind: str) -> None:
    own = JSON + DIGESTS + 'Accept-Ranges: bytes\r\nETag: "v1"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
    async with backend(says(answer(SAID, fields=own))) as behind:
        async with running(one_route(behind, response_transformation=TOLD), kind=kind) as gateway:
            got = await ask(gateway, fields='Range: bytes=0-4\r\nIf-Range: "v1"\r\nAccept-Encoding: gzip\r\n')
            assert json.loads(gateway.log[-1])["bytes_out"] == len(CHANGED)
    assert (got.line, got.body, got.all("content-length")) == ("HTTP/1.1 200 OK", CHANGED, [str(len(CHANGED))])
    gone = ("content-md5", "content-digest", "repr-digest", "digest", "accept-ranges", "last-modified")
    assert [got.get(name) for name in gone] == [None] * len(gone)
    asked = behind.requests[0]
    assert (asked.get("range"), asked.get("if-range"), asked.get("accept-encoding")) == (None, None, "identity")


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_body_in_pieces(kind: str) -> None:
    async with backend(in_pieces(SAID[:5], SAID[5:])) as behind:
        async with running(one_route(behind, response_transformation=TOLD), kind=kind) as gateway:
            got = await ask(gateway)
    assert (got.body, got.get("content-length")) == (CHANGED, str(len(CHANGED)))


async def test_a_tag_is_of_the_changed_body() -> None:
    async def script(received: Received, conversation: Conversation) -> None:
        known = received.get("if-none-match") == '"v1"'
        lines = 'ETag: "v1"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
        if received.get("if-match") not in (None, '"v1"'):
            await conversation.send(answer(status="412 No"))
        elif known:
            await conversation.send(f"HTTP/1.1 304 Not Modified\r\nContent-Length: 26\r\n{lines}\r\n".encode())
        else:
            await conversation.send(answer(SAID, fields=JSON + lines))

    async with backend(script) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            tag = (await ask(gateway)).get("etag")
            assert tag is not None and tag.startswith('"v1~') and tag.endswith('"')
            same = await ask(gateway, fields=f'If-None-Match: "v0", {tag}\r\nIf-Modified-Since: x\r\n')
            before = await ask(gateway, fields='If-None-Match: "v1"\r\n')
            written = await ask(gateway, fields=f"If-Match: {tag}\r\n", method="PUT", body="{}")
            lost = await ask(gateway, fields='If-Match: "v0"\r\n', method="PUT", body="{}")
        another = ResponseTransformation("urn:out", removes_members=("/mail",))
        async with running(one_route(behind, response_transformation=another)) as gateway:
            anew = await ask(gateway, fields=f"If-None-Match: {tag}\r\n")
    assert (same.line.split()[1], same.get("etag"), same.get("content-length")) == ("304", tag, None)
    assert (before.line.split()[1], before.body) == ("200", CHANGED)
    assert (written.line.split()[1], lost.line.split()[1]) == ("200", "412")
    assert (anew.line.split()[1], anew.body) == ("200", b'{"secret":1}')
    assert [one.get("if-modified-since") for one in behind.requests] == [None] * 6


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_head_says_nothing_that_is_not_so(kind: str) -> None:
    async def script(_: Received, conversation: Conversation) -> None:
        lines = f'HTTP/1.1 200 OK\r\nContent-Length: {len(SAID)}\r\n{JSON}{DIGESTS}ETag: "v1"\r\n\r\n'
        await conversation.send(lines.encode())

    async with backend(script) as behind:
        async with running(one_route(behind, response_transformation=TOLD), kind=kind) as gateway:
            got = await ask(gateway, method="HEAD")
    assert (got.get("content-length"), got.get("repr-digest"), got.get("content-type")) == (
        None, None, "application/json",
    )  # fmt: skip
    assert (got.get("etag") or "").startswith('"v1~')


@pytest.mark.parametrize(
    ("status", "fields", "body"),
    [
        ("204 No Content", JSON, b""),
        ("200 OK", JSON, b""),
        ("200 OK", "Content-Type: text/plain\r\n", SAID),
        ("200 OK", "", SAID),
        ("200 OK", JSON, b"[ 1 ]"),
        ("200 OK", "Content-Type: text/event-stream\r\n", b"data: {}\n\n"),
    ],
)
async def test_what_stays_as_it_is(status: str, fields: str, body: bytes) -> None:
    said = answer(body, status, fields) if body or status[:3] == "200" else f"HTTP/1.1 {status}\r\n\r\n".encode()
    async with backend(says(said)) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            got = await ask(gateway)
    assert (got.line, got.body) == (f"HTTP/1.1 {status}", body)


async def test_errors_of_the_backend_are_changed_and_those_of_the_gateway_are_not() -> None:
    async with backend(says(answer(SAID, "404 No", JSON), b"HTTP/2.9 what\r\n\r\n")) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            first, second = await ask(gateway), await ask(gateway)
    assert first.body == CHANGED
    assert "by" not in json.loads(second.body) and second.line.split()[1] == "502"


async def test_event_streams_are_not_held_back() -> None:
    go = asyncio.Event()

    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n3\r\n{}\n\r\n"
        )
        await go.wait()
        await conversation.send(b"0\r\n\r\n")

    async with backend(script) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert b"{}" in await reader.readuntil(b"{}")
            go.set()
            writer.close()


UNCHANGEABLE = {
    "part": (answer(b'{"secret":', "206 Partial Content", JSON + "Content-Range: bytes 0-9/26\r\n")),
    "coding": answer(b"whatever", fields=JSON + "Content-Encoding: br\r\n"),
    "no-gzip": answer(b"whatever", fields=JSON + "Content-Encoding: gzip\r\n"),
    "half-gzip": answer(gzip.compress(SAID)[:-5], fields=JSON + "Content-Encoding: gzip\r\n"),
    "bomb": answer(gzip.compress(b" " * 2000 + SAID), fields=JSON + "Content-Encoding: gzip\r\n"),
    "large": answer(b" " * 2000 + SAID, fields=JSON),
    "malformed": answer(b'{"secret":1', fields=JSON),
    "twice": answer(b'{"secret":1,"secret":2}', fields=JSON),
    "deep": answer(b"[" * 99 + b"]" * 99, fields=JSON),
}


@pytest.mark.parametrize("what", UNCHANGEABLE)
@pytest.mark.parametrize("passes", [False, True])
async def test_a_body_that_cannot_be_changed(what: str, passes: bool) -> None:
    told = ResponseTransformation("urn:out", removes_members=("/secret",), body_bytes=1000, passes_unchangeable=passes)
    said = UNCHANGEABLE[what]
    async with backend(says(said)) as behind:
        async with running(one_route(behind, response_transformation=told)) as gateway:
            got, again = await ask(gateway), await ask(gateway)
            log = json.loads(gateway.log[0])
    assert got.body == again.body or not passes
    if passes:
        assert got.body == said.partition(b"\r\n\r\n")[2]
        assert got.line.encode() == said.partition(b"\r\n")[0]
    else:
        assert got.line.split()[1] == "502" and b"secret" not in got.body
        problem = json.loads(got.body)
        assert (problem["type"], problem["policy"]) == ("urn:agw:problem:unchangeable-answer", "urn:out")
        assert log["status"] == 502 and log["reason"]


@pytest.mark.parametrize("passes", [False, True])
@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_body_that_turns_out_to_be_too_large(kind: str, passes: bool) -> None:
    told = ResponseTransformation("urn:out", removes_members=("/secret",), body_bytes=1000, passes_unchangeable=passes)
    pieces = [b'{"a":"', *[b"x" * 600] * 40, b'"}']
    async with backend(in_pieces(*pieces)) as behind:
        async with running(one_route(behind, response_transformation=told), kind=kind) as gateway:
            got = await ask(gateway)
    if passes:
        assert (got.line, got.body) == ("HTTP/1.1 200 OK", b"".join(pieces))
    else:
        assert got.line.split()[1] == "502" and b"unchangeable-answer" in got.body


async def test_a_body_without_an_end_is_not_waited_for() -> None:
    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + JSON.encode() + b"\r\n")
        while True:
            await conversation.send(b"400\r\n" + b" " * 1024 + b"\r\n")

    told = ResponseTransformation("urn:out", removes_members=("/a",), body_bytes=100_000)
    async with backend(script) as behind:
        async with running(one_route(behind, response_transformation=told)) as gateway:
            reader, writer = await gateway.connect()
            for _ in range(2):  # on the same connection: the client's is none the worse for it
                writer.write(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert b" 502 " in head
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                assert b"unchangeable-answer" in await reader.readexactly(length)
            writer.close()


async def test_a_backend_that_dies_while_the_body_is_held_back() -> None:
    async with backend(in_pieces(b'{"a":', end=False)) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await ask(gateway)


async def test_gzip_is_read_and_the_route_compresses_anew() -> None:
    said = json.dumps({"secret": 1, "text": "x" * 3000}).encode()
    packed = gzip.compress(said[:20]) + gzip.compress(said[20:])
    own = JSON + 'Content-Encoding: gzip\r\nETag: "v1"\r\n'
    async with backend(says(answer(packed, fields=own))) as behind:
        mesh = one_route(behind, response_transformation=TOLD, compression=Compression("urn:z", ("gzip",)))
        async with running(mesh) as gateway:
            got = await ask(gateway, fields="Accept-Encoding: gzip\r\n")
            plain = await ask(gateway)
            same = await ask(gateway, fields=f"Accept-Encoding: gzip\r\nIf-None-Match: {got.get('etag')}\r\n")
    expected = {"text": "x" * 3000, "by": "agw"}
    assert (got.get("content-encoding"), json.loads(gzip.decompress(got.body))) == ("gzip", expected)
    assert (plain.get("content-encoding"), json.loads(plain.body)) == (None, expected)
    assert (got.get("etag") or "").startswith('W/"v1~')
    assert behind.requests[2].get("if-none-match") == 'W/"v1"' and same.line.split()[1] == "200"


async def test_the_cache_keeps_what_clients_get() -> None:
    own = JSON + 'Cache-Control: max-age=60\r\nETag: "v1"\r\n'
    async with backend(says(answer(SAID, fields=own))) as behind:
        async with running(one_route(behind, response_transformation=TOLD, cache=Cache("urn:c"))) as gateway:
            first, second = await ask(gateway), await ask(gateway)
            head = await ask(gateway, method="HEAD")
            part = await ask(gateway, fields="Range: bytes=2-6\r\n")
            known = await ask(gateway, fields=f"If-None-Match: {first.get('etag')}\r\n")
            old = await ask(gateway, fields='If-None-Match: "v1"\r\n')
    assert (first.body, second.body, old.body) == (CHANGED, CHANGED, CHANGED)
    assert head.get("content-length") == str(len(CHANGED))
    assert (part.line.split()[1], part.body) == ("206", CHANGED[2:7])
    assert part.get("content-range") == f"bytes 2-6/{len(CHANGED)}"
    assert (known.line.split()[1], known.get("etag")) == ("304", first.get("etag"))
    assert len(behind.requests) == 1


async def test_what_is_stale_is_validated_in_the_backends_words() -> None:
    async def script(received: Received, conversation: Conversation) -> None:
        lines = 'Cache-Control: max-age=0\r\nETag: "v1"\r\n'
        if received.get("if-none-match") == '"v1"':
            await conversation.send(f"HTTP/1.1 304 Not Modified\r\n{lines}\r\n".encode())
        else:
            await conversation.send(answer(SAID, fields=JSON + lines))

    async with backend(script) as behind:
        async with running(one_route(behind, response_transformation=TOLD, cache=Cache("urn:c"))) as gateway:
            first, second = await ask(gateway), await ask(gateway)
    assert (first.body, second.body) == (CHANGED, CHANGED)
    assert [one.get("if-none-match") for one in behind.requests] == [None, '"v1"']


async def test_retries_mirrors_and_both_directions() -> None:
    async with backend(says(answer(b"x"))) as copied:
        async with backend(says(answer(b"{}", "503 X", JSON), answer(SAID, fields=JSON))) as behind:
            service, other = upstream(endpoint(behind.port)), upstream(endpoint(copied.port), name="copies")
            mesh = mesh_of(
                route(
                    retry=Retry("urn:r", 1, 0.01, statuses=(503,), retry_non_idempotent=True),
                    mirrors=(Mirror("urn:m", other.iri),),
                    request_transformation=RequestTransformation("urn:in", sets_members=(("/a", "1"),)),
                    response_transformation=TOLD,
                ),
                service, other,
            )  # fmt: skip
            async with running(mesh) as gateway:
                got = await ask(gateway, "/", JSON, method="POST", body="{}")
                await asyncio.wait_for(copied.arrived.wait(), 20)
    assert got.body == CHANGED
    assert [one.body for one in behind.requests] == [b'{"a":1}'] * 2
    assert copied.requests[0].body == b'{"a":1}'


async def test_an_answer_that_cannot_be_changed_says_nothing_against_the_backend() -> None:
    breaker = Breaker("urn:b", failure_threshold=1, open_seconds=60)
    async with backend(says(UNCHANGEABLE["malformed"])) as behind:
        mesh = mesh_of(route(response_transformation=TOLD, breaker=breaker), upstream(endpoint(behind.port)))
        async with running(mesh) as gateway:
            got = [await ask(gateway) for _ in range(3)]
    assert len(behind.requests) == 3 and all(b"unchangeable-answer" in one.body for one in got)


async def test_http2_on_the_clients_side() -> None:
    told = ResponseTransformation("urn:out", removes_members=("/secret",), body_bytes=100)
    async with backend(says(answer(SAID, fields=JSON), answer(b" " * 200 + b"{}", fields=JSON))) as behind:
        async with running(one_route(behind, response_transformation=told)) as gateway:
            client = await Client.connect(gateway.port)
            first, second = await client.fetch(fields_for("/")), await client.fetch(fields_for("/"))
            client.close()
    assert (first.status, first.body) == (200, b'{"mail":"a"}')
    assert (second.status, b"unchangeable-answer" in second.body) == (502, True)


@pytest.mark.parametrize("trailed", [False, True])
async def test_http2_on_the_backends_side(trailed: bool) -> None:
    async def script(asked: Asked, talk: Talk) -> None:
        fields = [(":status", "200"), ("content-type", "application/json")]
        talk.h2.send_headers(asked.stream, fields)
        talk.h2.send_data(asked.stream, SAID, end_stream=not trailed)
        if trailed:
            talk.h2.send_headers(asked.stream, [("x-sum", "7"), ("repr-digest", "a=:b:")], end_stream=True)
        talk.send()

    async with backend2(script) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(response_transformation=TOLD), service)) as gateway:
            client = await Client.connect(gateway.port)
            got = await client.fetch([*fields_for("/"), ("te", "trailers")])
            client.close()
    assert (got.status, got.body) == (200, CHANGED)
    assert got.trailers == ([("x-sum", "7")] if trailed else [])


async def test_a_client_of_another_make() -> None:
    async with backend(in_pieces(SAID[:5], SAID[5:])) as behind:
        async with running(one_route(behind, response_transformation=TOLD)) as gateway:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}") as client:
                got = await client.get("/")
    assert got.json() == {"email": "a", "by": "agw"}


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_an_expression_makes_bodies_anew(kind: str) -> None:
    asked = RequestTransformation("urn:in", removes_members=("/b",), expression="{x: a, gone: b}")
    told = ResponseTransformation("urn:out", sets_members=(("/n", "2"),), expression="[length(names), n]")
    said = b'{"names": ["a", "b", "c"]}'
    answers = (answer(said, fields=JSON), answer(said, "404 No", JSON), answer(b'{"names":7}', fields=JSON))
    async with backend(says(*answers)) as behind:
        mesh = one_route(behind, request_transformation=asked, response_transformation=told)
        async with running(mesh, kind=kind) as gateway:
            made = await ask(gateway, "/", JSON, method="POST", body='{"a":1,"b":2}')
            failure = await ask(gateway)
            wrong = await ask(gateway)
            log = json.loads(gateway.log[-1])
    assert behind.requests[0].body == b'{"x":1,"gone":null}'
    assert (made.body, failure.body) == (b"[3,2]", b'{"names":["a","b","c"],"n":2}')
    assert wrong.line.split()[1] == "502" and b"urn:out" in wrong.body
    assert "length()" in log["reason"]


async def test_a_request_that_the_expression_cannot_be_applied_to() -> None:
    asked = RequestTransformation("urn:in", expression="sum(items[*].price)")
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, request_transformation=asked)) as gateway:
            got = await ask(gateway, "/", JSON, method="POST", body='{"items":[{"price":"7"}]}')
            fine = await ask(gateway, "/", JSON, method="POST", body='{"items":[{"price":7},{"price":1}]}')
    assert (got.line.split()[1], json.loads(got.body)["policy"]) == ("422", "urn:in")
    assert fine.line.split()[1] == "200" and [one.body for one in behind.requests] == [b"8"]


def test_unpacking_is_bounded() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    began = time.process_time()
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unzipped(bomb, 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unzipped(gzip.compress(b" " * 600) * 2, 1000)
    assert time.process_time() - began < 20
    assert unzipped(gzip.compress(b"a") * 3, 3) == b"aaa"
