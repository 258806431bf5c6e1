"""Compression on real sockets, asked for by curl, aiohttp and hyper's h2."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import zlib
from dataclasses import replace

import aiohttp
import pytest

from api_gateway_service_mesh.model import ApiKey, Authentication, Compression, CompressionEffort, Cors, DirectResponse
from tests.support.asking import ask, deeds, one_route
from tests.support.backend import Conversation, Received, answer, backend, read_head, says
from tests.support.gateway import running
from tests.support.http2 import Client, fields_for

POLICY = Compression("urn:c", minimum_bytes=100)
TEXT = json.dumps([{"id": number, "name": f"thing {number}"} for number in range(2000)]).encode()
JSON = "Content-Type: application/json\r\n"
GZIP = "Accept-Encoding: gzip\r\n"


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_whole_answer(kind: str) -> None:
    fields = JSON + 'ETag: "v1"\r\nAccept-Ranges: bytes\r\nContent-Digest: sha-256=:x:\r\nX-A: b\r\n'
    async with backend(says(answer(TEXT[:9000], fields=fields))) as behind:
        async with running(one_route(behind, compression=POLICY), kind=kind) as gateway:
            got = await ask(gateway, fields=GZIP)
            assert gzip.decompress(got.body) == TEXT[:9000]
            assert got.get("content-encoding") == "gzip"
            assert got.get("vary") == "Accept-Encoding"
            assert got.get("etag") == 'W/"v1"'
            assert (got.get("accept-ranges"), got.get("content-digest"), got.get("x-a")) == (None, None, "b")
            counted = deeds(gateway, "urn:c")[:3]
    assert counted == (1, 9000, len(got.body))
    assert f'"bytes_out":{len(got.body)}' in gateway.log[0]


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_who_takes_no_coding_learns_that_there_is_one(kind: str) -> None:
    async with backend(says(answer(TEXT[:9000], fields=JSON + 'ETag: "v1"\r\nVary: Origin\r\n'))) as behind:
        async with running(one_route(behind, compression=POLICY), kind=kind) as gateway:
            got = await ask(gateway)
            assert deeds(gateway, "urn:c")[:3] == (0, 0, 0)
    assert (got.body, got.get("content-encoding"), got.get("etag")) == (TEXT[:9000], None, '"v1"')
    assert got.all("vary") == ["Origin", "Accept-Encoding"]
    assert got.get("content-length") == "9000"


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        (answer(TEXT[:99], fields=JSON), GZIP),
        (answer(TEXT, fields="Content-Type: image/png\r\n"), GZIP),
        (answer(TEXT), GZIP),
        (answer(TEXT, fields="Content-Type: text/event-stream\r\n"), GZIP),
        (answer(TEXT, fields=JSON + "Content-Encoding: br\r\n"), GZIP),
        (answer(TEXT, fields=JSON + "Cache-Control: public, No-Transform\r\n"), GZIP),
        (answer(TEXT, fields=JSON), GZIP + "Cache-Control: no-transform\r\n"),
        (answer(TEXT, "206 Partial Content", JSON + "Content-Range: bytes 0-9/10\r\n"), GZIP),
        (answer(TEXT, "416 Range Not Satisfiable", JSON + "Content-Range: bytes */10\r\n"), GZIP),
    ],
)
async def test_what_stays_as_it_is(said: bytes, asks: str) -> None:
    async with backend(says(said)) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            got = await ask(gateway, fields=asks)
    assert got.body == said.partition(b"\r\n\r\n")[2]
    assert got.get("vary") is None
    assert got.get("content-encoding") in (None, "br")


async def test_head_says_what_get_would() -> None:
    async def script(received: Received, conversation: Conversation) -> None:
        head, _, body = answer(TEXT, fields=JSON + 'ETag: "v1"\r\n').partition(b"\r\n\r\n")
        await conversation.send(head + b"\r\n\r\n" + (b"" if received.line.startswith("HEAD") else body))

    async with backend(script) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            asked, got = await ask(gateway, method="HEAD", fields=GZIP), await ask(gateway, fields=GZIP)
            plain = await ask(gateway, method="HEAD")
    for name in ("content-encoding", "vary", "etag", "content-type"):
        assert asked.get(name) == got.get(name)
    assert (asked.get("content-length"), asked.get("transfer-encoding")) == (None, None)
    assert plain.get("content-length") == str(len(TEXT))


async def test_answers_without_a_body() -> None:
    said = (
        answer(b"", "204 No Content").replace(b"Content-Length: 0\r\n", b""),
        b'HTTP/1.1 304 X\r\nETag: "v1"\r\n\r\n',
    )
    async with backend(says(*said)) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            nothing, unchanged = await ask(gateway, fields=GZIP), await ask(gateway, fields=GZIP)
    assert (nothing.get("vary"), nothing.get("content-encoding")) == (None, None)
    assert (unchanged.get("etag"), unchanged.get("vary"), unchanged.get("content-encoding")) == (
        'W/"v1"', "Accept-Encoding", None,
    )  # fmt: skip


async def test_the_gateways_own_answers() -> None:
    direct = DirectResponse("urn:d", 200, TEXT.decode(), "application/json")
    keys = Authentication("urn:test:route", api_keys=(ApiKey("urn:k", ("0" * 64,)),))
    cors = Cors("urn:o", ("https://a.example",))
    policy = replace(POLICY, minimum_bytes=1)
    async with backend(says(answer(b"x"))) as behind:
        async with running(one_route(behind, compression=policy, direct=direct)) as gateway:
            got = await ask(gateway, fields=GZIP)
        async with running(one_route(behind, compression=policy, authentication=keys, cors=cors)) as gateway:
            refused = await ask(gateway, fields=GZIP + "Origin: https://a.example\r\n")
    assert gzip.decompress(got.body) == TEXT
    assert refused.line.split()[1] == "401"
    assert json.loads(gzip.decompress(refused.body))["status"] == 401
    assert refused.all("vary") == ["Origin", "Accept-Encoding"]


@pytest.mark.parametrize("kind", ["engine", "app"])
async def test_a_stream_is_flushed_while_it_waits(kind: str) -> None:
    goes_on = asyncio.Event()

    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        await conversation.send(b"6\r\nfirst\n\r\n")
        await goes_on.wait()
        await conversation.send(b"7\r\nsecond\n\r\n0\r\n\r\n")

    async with backend(script) as behind:
        async with running(one_route(behind, compression=POLICY), kind=kind) as gateway:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                async with session.get(f"http://127.0.0.1:{gateway.port}/", headers={"Accept-Encoding": "gzip"}) as got:
                    assert got.headers["Content-Encoding"] == "gzip"
                    assert "Content-Length" not in got.headers
                    reader, seen = zlib.decompressobj(31), b""
                    async with asyncio.timeout(20):
                        while seen != b"first\n":
                            seen += reader.decompress(await got.content.readany())
                    goes_on.set()
                    seen += reader.decompress(await got.read())
    assert (seen, reader.eof) == (b"first\nsecond\n", True)


async def test_a_stream_that_breaks_off_is_cut() -> None:
    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\nhello")
        conversation.reset()

    async with backend(script) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            with pytest.raises(asyncio.IncompleteReadError):
                await ask(gateway, fields=GZIP)


async def test_http_1_0_gets_no_chunks() -> None:
    async def script(_: Received, conversation: Conversation) -> None:
        await conversation.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )

    async with backend(script) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"GET / HTTP/1.0\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n")
            head = await read_head(reader)
            body = await reader.read()
            writer.close()
    assert head.get("transfer-encoding") is None
    assert gzip.decompress(body) == b"hello"


async def bulky(_: Received, conversation: Conversation) -> None:
    """Three megabytes in chunks."""
    await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _number in range(30):
        await conversation.send(b"%x\r\n%b\r\n" % (len(TEXT), TEXT))
    await conversation.send(b"0\r\n\r\n")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_aiohttp_reads_every_coding(coding: str) -> None:
    policy = replace(POLICY, effort=CompressionEffort.FAST)
    async with backend(bulky) as behind:
        async with running(one_route(behind, compression=policy)) as gateway:
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{gateway.port}/", headers={"Accept-Encoding": coding}) as got:
                    assert got.headers["Content-Encoding"] == coding
                    assert await got.read() == TEXT * 30
            counted = deeds(gateway, "urn:c")
    assert counted[1] == len(TEXT) * 30
    assert counted[2] < counted[1] / 4


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_curl(version: str) -> None:
    async with backend(bulky) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            process = await asyncio.create_subprocess_exec(
                "curl", "-sS", "-m", "20", "--compressed", version, f"http://127.0.0.1:{gateway.port}/",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
            assert deeds(gateway, "urn:c")[0] == 1
    assert out == TEXT * 30


async def test_http2() -> None:
    async with backend(bulky) as behind:
        async with running(one_route(behind, compression=POLICY)) as gateway:
            client = await Client.connect(gateway.port)
            asks = [*fields_for(), ("accept-encoding", "gzip;q=0.5, br;q=0.1")]
            one, two = client.ask(asks), client.ask(asks)
            answers = [await client.answer(one), await client.answer(two)]
            client.close()
    for got in answers:
        assert (got.status, got.reset, got.get("content-encoding")) == (200, None, "gzip")
        assert (got.get("vary"), got.get("content-length")) == ("Accept-Encoding", None)
        assert gzip.decompress(got.body) == TEXT * 30
