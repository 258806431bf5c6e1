"""Clients that speak HTTP/2: requests, bodies, refusals, floods, and the way a connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from pathlib import Path

import hpack
import httpx
import pytest

from api_gateway_service_mesh.model import Limits, Listener
from api_gateway_service_mesh.policies.http2 import Http2Totals, read_http2
from api_gateway_service_mesh.proxy.http2.client import RESETS
from tests.support.backend import Conversation, Received, answer, backend, says
from tests.support.certs import new_authority
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream
from tests.support.http2 import (
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST,
    SETTINGS,
    Client,
    fields_for,
    frame,
    frames_in,
    speak,
)

CALM = 11


def mesh(port: int, **more: object) -> object:
    return mesh_of(route(**more), upstream(endpoint(port)))  # type: ignore[arg-type]


async def test_a_request_is_the_same_to_the_backend_in_either_version() -> None:
    async with backend(says(answer(b"hello", fields="X-Own: a\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            more = [
                ("x-a", "1"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("te", "trailers"),
                ("x-forwarded-for", "9.9.9.9"),
            ]
            for _ in range(2):
                got = await client.fetch([*fields_for("/a/b?c=d%20e", authority="Shop.example:81"), *more])
            client.close()
    assert (got.status, got.body) == (200, b"hello")
    assert got.get("x-own") == "a"
    assert [value for name, value in got.fields if name == "set-cookie"] == ["a=1", "b=2"]
    assert got.get("date") and got.get("connection") is None
    assert behind.connections == 1
    for sent in behind.requests:
        assert sent.line == "GET /a/b?c=d%20e HTTP/1.1"
        assert sent.get("host") == "Shop.example:81"
        assert sent.get("x-a") == "1"
        assert sent.get("cookie") == "a=1; b=2"
        assert (sent.get("te"), sent.get("connection")) == ("trailers", "TE")
        assert sent.get("via") == "2.0 agw"
        assert sent.get("x-forwarded-for") == "127.0.0.1"
        assert sent.get("transfer-encoding") is None and sent.get("content-length") is None


async def test_bodies_both_ways() -> None:
    async def echo(request: Received, talk: Conversation) -> None:
        await talk.send(answer(request.body))

    async with backend(echo) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            sized = await client.fetch([*fields_for("/", "POST"), ("content-length", "5")], b"hello")
            framed = await client.fetch(fields_for("/", "POST"), b"in chunks")
            large = client.ask(fields_for("/", "POST"), b"x" * 16000, end=False)
            for number in range(40):
                while client.h2.local_flow_control_window(large) < 16000:
                    await client.turn()
                client.h2.send_data(large, b"y" * 16000, end_stream=number == 39)
                client.send()
            got = await client.answer(large)
            client.close()
    assert sized.body == b"hello"
    assert framed.body == b"in chunks"
    assert got.body == b"x" * 16000 + b"y" * 640_000
    assert behind.requests[0].get("content-length") == "5"
    assert behind.requests[1].get("transfer-encoding") == "chunked"


async def test_many_streams_at_once() -> None:
    async def slow(request: Received, talk: Conversation) -> None:
        await asyncio.sleep(0.02)
        await talk.send(answer(request.line.encode()))

    async with backend(slow) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            await client.turn()
            streams = {client.ask(fields_for(f"/{number}")): number for number in range(100)}
            for stream, number in streams.items():
                assert (await client.answer(stream)).body == b"GET /%d HTTP/1.1" % number
            client.close()


async def test_a_client_that_does_not_read_holds_back_the_backend() -> None:
    sent = 0

    async def endless(request: Received, talk: Conversation) -> None:
        nonlocal sent
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(4000):
            await talk.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            sent += 0x4000

    async with backend(endless) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port, acknowledges=False)
            stream = client.ask(fields_for())
            while not client.answers[stream].body:
                await client.turn()
            last = -1
            while last != sent:
                last = sent
                await asyncio.sleep(0.2)
            assert 0 < sent < 20_000_000  # what sockets hold, not 64 MB
            other = await Client.connect(gateway.port)  # and others are served
            quick = other.ask(fields_for())
            while not other.answers[quick].body:
                await other.turn()
            client.close()
            other.close()


REFUSED = {
    "dot segment": (fields_for("/a/../b"), 400),
    "method": (fields_for("/", "BREW"), 501),
    "connect": ([(":method", "CONNECT"), (":authority", "a:443")], 405),
    "trace": (fields_for("/", "TRACE"), 405),
    "host against authority": ([*fields_for(), ("host", "other")], 400),
    "port": (fields_for(authority="a:99999"), 400),
    "scheme": (fields_for(scheme="ftp"), 400),
    "large": ([*fields_for(), ("x-large", "x" * 33000)], 431),
    "many": ([*fields_for(), *((f"x-{number}", "1") for number in range(110))], 431),
    "long path": (fields_for("/" + "x" * 9000), 414),
    "expectation": ([*fields_for("/", "PUT"), ("expect", "wonders")], 417),
    "another protocol": ([*fields_for("/", "CONNECT"), (":protocol", "connect-udp")], 501),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused_is_answered_and_the_connection_lives_on(name: str) -> None:
    fields, status = REFUSED[name]
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            client.h2.config.validate_outbound_headers = False
            client.h2.config.normalize_outbound_headers = False
            await client.turn()
            client.h2.max_outbound_frame_size = 16384
            got = await client.fetch(fields)
            assert got.status == status
            assert b"urn:agw:problem:" in got.body
            assert (await client.fetch(fields_for())).body == b"x"
            client.close()
    assert len(behind.requests) == 1


MALFORMED = {
    "upper case": [*fields_for(), ("X-A", "1")],
    "connection": [*fields_for(), ("connection", "close")],
    "transfer-encoding": [*fields_for(), ("transfer-encoding", "chunked")],
    "te": [*fields_for(), ("te", "gzip")],
    "pseudo after": [*fields_for()[:3], ("x-a", "1"), (":path", "/")],
    "unknown pseudo": [*fields_for(), (":shoe", "size")],
    "status": [*fields_for(), (":status", "200")],
    "two paths": [*fields_for(), (":path", "/b")],
    "no scheme": [(":method", "GET"), (":authority", "a"), (":path", "/")],
    "empty path": fields_for(""),
    "no path": fields_for("a"),
    "userinfo": fields_for(authority="a@b"),
    "line feed": [*fields_for(), ("x-a", "1\nx-b: 2")],
    "carriage return": [*fields_for(), ("x-a", "1\r\n\r\nGET /b HTTP/1.1")],
    "nul": [*fields_for(), ("x-a", "\0")],
    "space in name": [*fields_for(), ("x a", "1")],
    "length of an absent body": [*fields_for(), ("content-length", "4")],
    "two lengths": [*fields_for("/", "POST"), ("content-length", "0"), ("content-length", "1")],
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_requests_reset_their_stream(name: str) -> None:
    """RFC 9113 §8.1.1. Nothing of them reaches a backend, and the connection lives on."""
    encoder = hpack.Encoder()
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            bad = frame(HEADERS, 5, 1, encoder.encode(MALFORMED[name]))
            good = frame(HEADERS, 5, 3, encoder.encode(fields_for()))
            got = await speak(
                gateway.port,
                PREFACE + SETTINGS + bad + good,
                until=lambda got: {HEADERS, RST} <= {kind for kind, *_ in got},
            )
    assert [stream for kind, _, stream, _ in got if kind == RST] == [1]
    assert [stream for kind, _, stream, _ in got if kind == HEADERS] == [3]
    assert len(behind.requests) == 1


def _ended(got: list[tuple[int, int, int, bytes]]) -> bool:
    """A stream has ended."""
    return any(kind == 0 and flags & 1 for kind, flags, *_ in got)


def block(path: str = "/") -> bytes:
    return hpack.Encoder().encode(fields_for(path))


def floods() -> dict[str, list[bytes]]:
    begin = PREFACE + SETTINGS
    encoder = hpack.Encoder()
    large = encoder.encode([*fields_for(), ("a", "x" * 4000)])
    bomb = (large, encoder.encode(fields_for()) + b"\xbe" * 16000)  # four thousand bytes for each one
    rapid = b"".join(
        frame(HEADERS, 5, stream, block()) + frame(RST, 0, stream, b"\0\0\0\x08") for stream in range(1, 4 * RESETS, 2)
    )
    return {
        "rapid reset": [begin, rapid],
        "rapid reset, slowly": [
            begin, *(rapid[at : at + 500] for at in range(0, len(rapid), 500)),
        ],
        "continuation": [begin, frame(HEADERS, 1, 1, block()), *[frame(9, 0, 1, b"") * 50] * 10],
        "large header section": [begin, frame(HEADERS, 1, 1, block()), *[frame(9, 0, 1, b"\0\1a\x7f\x81\x7f" + b"x" * 16000)] * 20],
        "settings": [begin, *[frame(4) * 100] * 30],
        "ping": [begin, *[frame(PING, 0, 0, bytes(8)) * 100] * 30],
        "empty data": [begin, frame(HEADERS, 4, 1, hpack.Encoder().encode(fields_for("/", "POST"))), *[frame(0, 0, 1) * 100] * 30],
        "window updates": [begin, *[frame(8, 0, 0, b"\0\0\0\1") * 100] * 30],
        "priorities": [begin, *[frame(2, 0, 3, b"\0\0\0\0\1") * 1000] * 20],
        "unknown frames": [begin, *[frame(77, 0, 0, bytes(5)) * 1000] * 20],
        "header bomb": [begin, frame(HEADERS, 5, 1, bomb[0]), frame(HEADERS, 5, 3, bomb[1])],
    }  # fmt: skip


@pytest.mark.parametrize("name", floods())
async def test_floods_are_told_to_calm_down(name: str) -> None:
    """A connection that keeps the gateway busy without asking for anything ends; others are served."""

    async def never(request: Received, talk: Conversation) -> None:
        await asyncio.sleep(5)

    async with backend(never) as behind:
        quick = route("/quick", "quick", to="quick")
        async with backend(says(answer(b"x"))) as other:
            table = mesh_of(
                (route(), quick), upstream(endpoint(behind.port)), upstream(endpoint(other.port, "two"), name="quick")
            )
            async with running(table) as gateway:
                got = await speak(gateway.port, floods()[name])
                codes = [int.from_bytes(payload[4:8], "big") for kind, _, _, payload in got if kind == GOAWAY]
                assert codes == [CALM], got[:5]
                client = await Client.connect(gateway.port)
                assert (await client.fetch(fields_for("/quick"))).body == b"x"
                client.close()
    assert len(behind.requests) <= RESETS + 1


async def test_who_cancels_now_and_then_is_served_on() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            for _ in range(2 * RESETS):
                given_up = client.ask(fields_for(), end=True)
                client.h2.reset_stream(given_up, 8)
                assert (await client.fetch(fields_for())).body == b"x"
            client.close()


async def test_more_streams_than_allowed_are_refused_and_may_be_asked_again() -> None:
    async def slow(request: Received, talk: Conversation) -> None:
        await asyncio.sleep(0.2)
        await talk.send(answer(b"x"))

    async with backend(slow) as behind:
        async with running(mesh(behind.port), limits=Limits(max_concurrent_streams=2)) as gateway:  # type: ignore[arg-type]
            asked = b"".join(frame(HEADERS, 5, stream, block()) for stream in (1, 3, 5))
            got = await speak(
                gateway.port,
                PREFACE + SETTINGS + asked,
                until=lambda got: sum(kind in (HEADERS, RST) for kind, *_ in got) == 3,
            )
    assert [(stream, payload) for kind, _, stream, payload in got if kind == RST] == [
        (5, b"\0\0\0\7")
    ]  # REFUSED_STREAM
    assert sorted(stream for kind, _, stream, _ in got if kind == HEADERS) == [1, 3]
    assert len(behind.requests) == 2


async def test_a_client_that_leaves_takes_its_requests_along() -> None:
    gone = asyncio.Event()

    async def wait(request: Received, talk: Conversation) -> None:
        try:
            await talk.reader.read()
        finally:
            gone.set()

    async with backend(wait) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            client.ask(fields_for())
            while not behind.requests:
                await asyncio.sleep(0.01)
            client.close()
            async with asyncio.timeout(20):
                await gone.wait()


async def test_an_answer_before_the_end_of_the_request_stops_the_rest() -> None:
    async with running(mesh_of(route(to=None), upstream())) as gateway:
        client = await Client.connect(gateway.port)
        stream = client.ask(fields_for("/", "POST"), b"x", end=False)
        got = client.answers[stream]
        while got.reset is None:
            await client.turn()
        assert (got.status, got.reset) == (503, 0)
        assert b"no-upstream" in got.body
        client.close()


async def test_a_broken_answer_looks_broken() -> None:
    async def cut(request: Received, talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        talk.writer.close()

    async with backend(cut) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            client = await Client.connect(gateway.port)
            got = await client.fetch(fields_for())
            client.close()
    assert got.body == b"half"
    assert got.reset == 2  # INTERNAL_ERROR


async def test_drain_says_goodbye_after_what_is_under_way() -> None:
    async def slow(request: Received, talk: Conversation) -> None:
        await asyncio.sleep(0.8)
        await talk.send(answer(b"late"))

    async with backend(slow) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            ask = PREFACE + SETTINGS + frame(HEADERS, 5, 1, block())
            asking = asyncio.create_task(speak(gateway.port, ask))
            idle = asyncio.create_task(speak(gateway.port, PREFACE + SETTINGS))
            while not behind.requests:
                await asyncio.sleep(0.01)
            await gateway.engine.drain(5)
            got, silent = await asking, await idle
    assert b"".join(payload for kind, _, _, payload in got if kind == 0) == b"late"
    told = [(int.from_bytes(payload[:4], "big"), payload[4:]) for kind, _, _, payload in got if kind == GOAWAY]
    assert told[:2] == [(2**31 - 1, bytes(4)), (1, bytes(4))]
    assert {code for _, code in told} == {bytes(4)}
    assert [payload[4:] for kind, _, _, payload in silent if kind == GOAWAY] == [bytes(4)]


async def test_a_drain_under_load_loses_no_request() -> None:
    """Who goes on asking learns which of its requests were not looked at: all others are answered (RFC 9113 §6.8)."""

    async def slow(request: Received, talk: Conversation) -> None:
        await asyncio.sleep(0.02)
        await talk.send(answer(b"late"))

    async with backend(slow) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            reader, writer = await gateway.connect()
            writer.write(PREFACE + SETTINGS)
            got = b""

            async def listen() -> None:
                nonlocal got
                with contextlib.suppress(ConnectionError):
                    while data := await reader.read(65536):
                        got += data

            listening = asyncio.create_task(listen())
            draining: asyncio.Task[None] | None = None
            asked: list[int] = []
            encoder = hpack.Encoder()
            async with asyncio.timeout(60):
                while not listening.done():
                    frames = frames_in(got)
                    ended = {stream for kind, flags, stream, _ in frames if kind == 0 and flags & 1}
                    if len(asked) - len(ended) < 50 and not writer.is_closing():
                        asked.append(2 * len(asked) + 1)
                        writer.write(frame(HEADERS, 5, asked[-1], encoder.encode(fields_for())))
                    if draining is None and len(ended) > 20:
                        draining = asyncio.create_task(gateway.engine.drain(30))
                    await asyncio.sleep(0.002)
                assert draining is not None
                await draining
            writer.close()
    frames = frames_in(got)
    told = [(int.from_bytes(payload[:4], "big"), payload[4:8]) for kind, _, _, payload in frames if kind == GOAWAY]
    last = told[-1][0]
    assert told[0] == (2**31 - 1, bytes(4)) and {code for _, code in told} == {bytes(4)}
    assert 40 < last <= asked[-1]
    answered = {stream for kind, flags, stream, _ in frames if kind == 0 and flags & 1}
    assert answered == {stream for stream in asked if stream <= last}
    assert not any(stream > last for kind, _, stream, _ in frames if kind == HEADERS)


async def test_idle_and_silent_connections_are_closed() -> None:
    limits = Limits(idle_timeout_seconds=0.5, header_timeout_seconds=0.5)
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port), limits=limits) as gateway:  # type: ignore[arg-type]
            silent = await speak(gateway.port, PREFACE)
            assert [kind for kind, *_ in silent][-1] == GOAWAY
            client = await Client.connect(gateway.port)
            await client.fetch(fields_for())
            while not client.closed:
                await client.turn()
            assert [code for code, _ in client.goaways] == [0]


async def test_each_byte_by_itself() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            whole = PREFACE + SETTINGS + frame(HEADERS, 4, 1, hpack.Encoder().encode(fields_for("/", "POST")))
            whole += frame(0, 9, 1, b"\x03body" + bytes(3))
            got = await speak(gateway.port, [whole[at : at + 1] for at in range(len(whole))], until=_ended)
    assert b"".join(payload for kind, _, _, payload in got if kind == 0) == b"x"
    assert behind.requests[0].body == b"body"


async def test_without_http2_the_preface_is_no_request() -> None:
    async with backend(says(answer(b"x"))) as behind:
        async with running(mesh(behind.port), limits=Limits(max_concurrent_streams=0)) as gateway:  # type: ignore[arg-type]
            reader, writer = await gateway.connect()
            writer.write(PREFACE + SETTINGS)
            assert (await reader.readline()).startswith(b"HTTP/1.1 505 ")
            writer.close()
    assert not behind.requests


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-m", "10", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_curl(tmp_path: Path) -> None:
    async with backend(says(answer(b"hello"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            url = f"http://127.0.0.1:{gateway.port}/"
            assert await curl("--http2-prior-knowledge", "-w", " %{http_version}", url) == "hello 2"
            assert await curl("--http2", "-w", " %{http_version}", url) == "hello 1.1"  # h2c by upgrade is not offered


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load (nghttp2-client) is not here")
async def test_h2load() -> None:
    async with backend(says(answer(b"hello"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            process = await asyncio.create_subprocess_exec(
                "h2load", "-n", "400", "-c", "4", "-m", "16", f"http://127.0.0.1:{gateway.port}/",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
    assert "400 succeeded, 0 failed, 0 errored" in out.decode()


async def test_httpx(kept: Running) -> None:
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        answers = await asyncio.gather(*(client.get(f"http://127.0.0.1:{kept.port}/{n}") for n in range(20)))
    assert {(one.status_code, one.http_version, one.text) for one in answers} == {(200, "HTTP/2", "hello")}


@pytest.fixture
async def kept():  # type: ignore[no-untyped-def]
    async with backend(says(answer(b"hello"))) as behind, running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
        yield gateway


@pytest.mark.parametrize("streams", [128, 0])
async def test_over_tls_the_version_is_agreed_on(streams: int, tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    listener = Listener(
        "urn:test:tls",
        0,
        "127.0.0.1",
        certificate=authority.issue("localhost").model(),
        limits=Limits(max_concurrent_streams=streams),
    )
    context = ssl.create_default_context(cafile=str(authority.bundle))
    context.set_alpn_protocols(["h2"] if streams else ["h2", "http/1.1"])
    async with backend(says(answer(b"hello"))) as behind:
        async with running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]
            port = await gateway.engine.listen(listener, port=0)
            if streams:
                client = await Client.connect(port, context)
                for _ in range(3):
                    assert (await client.fetch(fields_for(scheme="https"))).body == b"hello"
                large = await client.fetch(fields_for("/", "POST", scheme="https"), b"x" * 16000)
                assert large.status == 200
                client.close()
            plain = ssl.create_default_context(cafile=str(authority.bundle))
            plain.set_alpn_protocols(["h2", "http/1.1"] if not streams else ["http/1.1"])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=plain, server_hostname="localhost")
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"hello")
            writer.close()
            if streams and shutil.which("curl"):
                told = await curl(
                    "--cacert", str(authority.bundle), "-w", " %{http_version}",
                    "--resolve", f"localhost:{port}:127.0.0.1", f"https://localhost:{port}/",
                )  # fmt: skip
                assert told == "hello 2"
    if streams:
        assert behind.requests[0].get("x-forwarded-proto") == "https"


async def test_what_goes_over_http2_is_counted() -> None:
    stay = asyncio.Event()

    async def slow(_: Received, conversation: Conversation) -> None:
        await stay.wait()
        await conversation.send(answer(b"x"))

    async with backend(slow) as behind, running(mesh(behind.port)) as gateway:  # type: ignore[arg-type]

        async def until(wanted: Http2Totals) -> None:
            base = gateway.layout.slots["http2", "urn:test:gateway"]
            async with asyncio.timeout(20):
                while read_http2(gateway.store.view, base, 1) != wanted:
                    await asyncio.sleep(0.02)

        client = await Client.connect(gateway.port)
        asking = asyncio.create_task(client.fetch(fields_for("/")))
        await until(Http2Totals(1, 1, 1, 0))
        await speak(gateway.port, floods()["ping"])
        await until(Http2Totals(1, 1, 1, 1))
        stay.set()
        await asking
        await until(Http2Totals(1, 0, 1, 1))
        client.close()
        await until(Http2Totals(0, 0, 1, 1))
