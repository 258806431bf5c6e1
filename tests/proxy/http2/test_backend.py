"""Backends that are spoken to in HTTP/2: shared connections, bodies, trailers, and what is safe to send again."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from api_gateway_service_mesh.model import ConnectionPool, HttpProtocol, Mesh, Retry, UpstreamTls
from tests.support.backend import answer, backend, read_answer, says
from tests.support.certs import new_authority
from tests.support.gateway import endpoint, mesh_of, raw, route, running, upstream
from tests.support.http2 import Asked, Client, Talk, backend2, fields_for


def mesh(port: int, *, pool: ConnectionPool = ConnectionPool(), **more: object) -> Mesh:  # noqa: B008
    service = upstream(endpoint(port), protocol=HttpProtocol.HTTP2, pool=pool)
    return mesh_of(route(**more), service)  # type: ignore[arg-type]


async def hello(asked: Asked, talk: Talk) -> None:
    talk.answer(asked, b"hello", fields=[("x-own", "a"), ("date", "today")])


async def test_the_request_and_its_answer() -> None:
    async with backend2(hello) as behind:
        async with running(mesh(behind.port)) as gateway:
            reader, writer = await gateway.connect()
            for _ in range(2):
                writer.write(
                    b"POST /a?b HTTP/1.1\r\nHost: a.example\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nhi"
                )
                got = await read_answer(reader)
            writer.close()
    assert (got.line, got.body, got.get("x-own")) == ("HTTP/1.1 200 OK", b"hello", "a")
    assert behind.connections == 1
    for sent in behind.requests:
        assert sent.fields[:4] == [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "a.example"),
            (":path", "/a?b"),
        ]
        assert (sent.get("x-a"), sent.get("x-b"), sent.get("content-length")) == ("1", None, "2")
        assert sent.get("x-forwarded-for") == "127.0.0.1" and sent.get("via") == "1.1 agw"
        assert sent.get("x-request-id") and sent.get("host") is None
        assert sent.body == b"hi"


async def test_bodies_of_unknown_length_and_no_answer_body() -> None:
    async def echo(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, asked.body)

    async with backend2(echo) as behind:
        async with running(mesh(behind.port)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            assert (await read_answer(reader)).body == b"abc"
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            got = await read_answer(reader)
            assert (got.get("content-length"), got.body) == ("0", b"")
            writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await read_answer(reader, head_only=True)).get("content-length") is None
            writer.close()


async def test_streams_share_a_connection_within_the_backends_bound() -> None:
    async def slow(asked: Asked, talk: Talk) -> None:
        await asyncio.sleep(0.05)
        talk.answer(asked, (asked.get(":path") or "").encode())

    async with backend2(slow, streams=4) as behind:
        async with running(mesh(behind.port, pool=ConnectionPool(max_connections=2))) as gateway:
            client = await Client.connect(gateway.port)
            await client.turn()
            streams = {client.ask(fields_for(f"/{number}")): number for number in range(40)}
            for stream, number in streams.items():
                assert (await client.answer(stream)).body == b"/%d" % number
            client.close()
    assert behind.connections <= 2
    assert behind.most_at_once <= 8


async def test_trailers_both_ways() -> None:
    async def told(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, b"body", trailers=[("x-sum", "1"), ("via", "9"), ("x-more", dict(asked.trailers)["x-in"])])

    async with backend2(told) as behind:
        async with running(mesh(behind.port)) as gateway:
            client = await Client.connect(gateway.port)
            stream = client.ask([*fields_for("/", "POST"), ("te", "trailers")], b"x", end=False)
            client.h2.send_headers(stream, [("x-in", "2"), ("x-forwarded-for", "9.9.9.9")], end_stream=True)
            client.send()
            got = await client.answer(stream)
            client.close()
    assert got.body == b"body" and got.trailers == [("x-sum", "1"), ("x-more", "2")]
    assert behind.requests[0].trailers == [("x-in", "2")]
    assert behind.requests[0].get("te") == "trailers"


async def test_large_bodies_and_a_client_that_does_not_read() -> None:
    async def large(asked: Asked, talk: Talk) -> None:
        talk.h2.send_headers(asked.stream, [(":status", "200")])
        left = 2_000_000
        while left:
            size = min(left, 16384, talk.h2.local_flow_control_window(asked.stream))
            if not size:
                await asyncio.sleep(0.01)
                continue
            talk.h2.send_data(asked.stream, b"x" * size)
            talk.send()
            left -= size
            state["left"] = left
        talk.h2.end_stream(asked.stream)
        talk.send()

    state = {"left": 0}
    async with backend2(large) as behind:
        async with running(mesh(behind.port)) as gateway:
            client = await Client.connect(gateway.port)
            assert len((await client.fetch(fields_for())).body) == 2_000_000
            lazy = await Client.connect(gateway.port, acknowledges=False)
            lazy.ask(fields_for())
            before = -1
            while before != state["left"]:
                before = state["left"]
                await lazy.turn()
                await asyncio.sleep(0.2)
            assert state["left"] > 1_000_000  # two windows and what sockets hold have gone, no more
            lazy.close()
            upload = client.ask(fields_for("/", "POST"), b"y" * 10000, end=False)
            for number in range(60):
                while client.h2.local_flow_control_window(upload) < 10000:
                    await client.turn()
                client.h2.send_data(upload, b"y" * 10000, end_stream=number == 59)
                client.send()
            await client.answer(upload)
            client.close()
    assert len(behind.requests[-1].body) == 610_000


async def test_what_was_refused_unseen_is_sent_again_whatever_its_method() -> None:
    """RFC 9113 §8.7: REFUSED_STREAM, and streams above the last of a GOAWAY."""
    seen: list[str] = []

    async def refuse_once(asked: Asked, talk: Talk) -> None:
        seen.append(asked.get(":path") or "")
        if len(seen) == 1:
            talk.h2.reset_stream(asked.stream, 7)
            talk.send()
        elif len(seen) == 3:
            talk.h2.close_connection(last_stream_id=asked.stream - 2)
            talk.send()
        else:
            talk.answer(asked, asked.body)

    async with backend2(refuse_once) as behind:
        async with running(mesh(behind.port)) as gateway:
            for text in (b"one", b"two"):
                ask = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n" + text
                assert (await raw(gateway.port, ask)).endswith(b"\r\n\r\n" + text)
    assert len(seen) == 4
    assert behind.connections >= 2


async def test_what_may_have_been_seen_is_not_sent_again() -> None:
    async def break_off(asked: Asked, talk: Talk) -> None:
        talk.h2.reset_stream(asked.stream, 2)
        talk.send()

    async with backend2(break_off) as behind:
        async with running(mesh(behind.port)) as gateway:
            got = await raw(
                gateway.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
            )
    assert got.startswith(b"HTTP/1.1 502 ") and b"upstream-reset" in got
    assert len(behind.requests) == 1


async def test_a_retry_policy_takes_another_stream() -> None:
    seen = 0

    async def at_third(asked: Asked, talk: Talk) -> None:
        nonlocal seen
        seen += 1
        talk.answer(asked, b"x", "200" if seen == 3 else "503")

    async with backend2(at_third) as behind:
        async with running(mesh(behind.port, retry=Retry("urn:test:retry", attempts=3))) as gateway:
            got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    assert behind.connections == 1


async def test_a_client_that_leaves_resets_its_stream_alone() -> None:
    async def second(asked: Asked, talk: Talk) -> None:
        if asked.get(":path") == "/b":
            talk.answer(asked, b"b")

    async with backend2(second) as behind:
        async with running(mesh(behind.port)) as gateway:
            gone = await Client.connect(gateway.port)
            gone.ask(fields_for("/a"))
            while not behind.requests:
                await asyncio.sleep(0.01)
            gone.close()
            client = await Client.connect(gateway.port)
            assert (await client.fetch(fields_for("/b"))).body == b"b"
            client.close()
    assert behind.connections == 1


async def test_an_answer_that_is_none() -> None:
    async def malformed(asked: Asked, talk: Talk) -> None:
        talk.h2.config.validate_outbound_headers = False
        talk.h2.config.normalize_outbound_headers = False
        talk.answer(asked, b"x", fields=[("connection", "close")])

    async with backend2(malformed) as behind:
        async with running(mesh(behind.port)) as gateway:
            got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 502 ") and b"upstream-bad-answer" in got


async def test_a_backend_of_http1_is_no_backend_of_http2() -> None:
    async with backend(says(answer(b"x")), reads_body=False) as behind:
        async with running(mesh(behind.port)) as gateway:
            got = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("offers", [["h2"], ["http/1.1"], ["h2", "http/1.1"]])
async def test_auto_speaks_what_the_backend_chooses(offers: list[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    authority = new_authority(tmp_path)
    issued = authority.issue("localhost", names=["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_file, issued.key_file)
    context.set_alpn_protocols(offers)
    tls = UpstreamTls(authority.trust_model(), server_name="localhost")

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"one"))

    async def told(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, b"two")

    ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    for protocol, expected in ((HttpProtocol.AUTO, b"two" if "h2" in offers else b"one"), (HttpProtocol.HTTP2, b"two")):
        async with backend2(told, context=context) as two:
            server = await asyncio.start_server(plain, "127.0.0.1", 0, ssl=context)
            port = two.port if "h2" in offers else server.sockets[0].getsockname()[1]
            service = upstream(endpoint(port), protocol=protocol, tls=tls)
            async with running(mesh_of(route(), service)) as gateway:
                got = await raw(gateway.port, ask)
            server.close()
        if "h2" in offers or protocol is HttpProtocol.AUTO:
            assert got.endswith(expected), got
        else:
            assert got.startswith(b"HTTP/1.1 502 ")
