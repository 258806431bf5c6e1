"""gRPC-Web: calls from browsers, over HTTP/1.1 here, to a backend of gRPC."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode

import hypothesis.strategies as st
import pytest
from hypothesis import given

from api_gateway_service_mesh.model import HttpProtocol
from api_gateway_service_mesh.proxy.grpc_web import Base64Reader, trailer_frame
from tests.support.backend import read_answer
from tests.support.gateway import endpoint, mesh_of, route, running, upstream
from tests.support.http2 import Asked, Talk, backend2


def message(text: bytes) -> bytes:
    return b"\0" + len(text).to_bytes(4, "big") + text


async def serve(asked: Asked, talk: Talk) -> None:
    assert asked.get("content-type") == "application/grpc+proto"
    assert asked.get("te") == "trailers" and asked.get("content-length") is None
    if asked.get(":path") == "/a.B/Fail":
        talk.answer(asked, fields=[("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no")])
        return
    talk.h2.send_headers(asked.stream, [(":status", "200"), ("content-type", "application/grpc+proto")])
    talk.h2.send_data(asked.stream, asked.body)
    talk.send()
    await asyncio.sleep(0.02)
    talk.h2.send_data(asked.stream, message(b"two"))
    talk.h2.send_headers(asked.stream, [("grpc-status", "0"), ("x-more", "m")], end_stream=True)
    talk.send()


@pytest.mark.parametrize("text", [False, True])
async def test_a_call_from_a_browser(text: bool) -> None:
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    async with backend2(serve) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(grpc_web=True), service)) as gateway:
            reader, writer = await gateway.connect()
            body = message(b"one")
            sent = b64encode(body) if text else body
            head = f"POST /a.B/Say HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len(sent)}\r\n\r\n"
            for part in (head.encode(), sent[:5], sent[5:]):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.02)
            got = await read_answer(reader)
            writer.write(head.replace("Say", "Fail").encode() + sent)
            failed = await read_answer(reader)
            writer.close()
    told = got.body
    if text:
        reading = Base64Reader()
        told = b"".join(reading.feed(told[at : at + 7]) for at in range(0, len(told), 7))
    assert told == body + message(b"two") + trailer_frame([(b"grpc-status", b"0"), (b"x-more", b"m")])
    assert str(got.get("content-type")).startswith(
        "application/grpc-web-text" if text else "application/grpc-web+proto"
    )
    assert (failed.get("grpc-status"), failed.get("grpc-message"), failed.body) == ("5", "no", b"")
    assert behind.requests[0].body == body


async def test_text_that_is_none_is_refused() -> None:
    async with backend2(serve) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(grpc_web=True), service)) as gateway:
            reader, writer = await gateway.connect()
            head = b"POST /a.B/Say HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: 8\r\n\r\n"
            writer.write(head + b"!!!!!!!!")
            assert (await read_answer(reader)).line.startswith("HTTP/1.1 400 ")
            writer.close()


async def test_other_routes_leave_it_alone() -> None:
    async def plain(asked: Asked, talk: Talk) -> None:
        talk.answer(asked, (asked.get("content-type") or "").encode())

    async with backend2(plain) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        async with running(mesh_of(route(), service)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\nContent-Length: 1\r\n\r\nx"
            )
            assert (await read_answer(reader)).body == b"application/grpc-web"
            writer.close()


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 9))
def test_padded_parts_however_they_are_cut(parts: list[bytes], size: int) -> None:
    wire = b"".join(map(b64encode, parts))
    reader = Base64Reader()
    assert b"".join(reader.feed(wire[at : at + size]) for at in range(0, len(wire), size)) == b"".join(parts)
    assert b64decode(b64encode(b"".join(parts))) == b"".join(parts)
