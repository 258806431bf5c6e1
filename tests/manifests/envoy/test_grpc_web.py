"""gRPC-Web through a real Envoy: for the route that wants it, and for no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api_gateway_service_mesh.model import HttpProtocol
from tests.parity.running import ENVOY, envoy_of
from tests.support.backend import read_answer
from tests.support.gateway import endpoint, mesh_of, route, upstream
from tests.support.http2 import Asked, Talk, backend2

pytestmark = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
KIND = "application/grpc-web+proto"


async def test_calls_of_browsers_become_calls_where_a_route_says_so(tmp_path: Path) -> None:
    kinds = []

    async def serve(asked: Asked, talk: Talk) -> None:
        kinds.append((asked.get(":path"), asked.get("content-type")))
        talk.h2.send_headers(asked.stream, [(":status", "200"), ("content-type", "application/grpc+proto")])
        talk.h2.send_data(asked.stream, asked.body)
        talk.h2.send_headers(asked.stream, [("grpc-status", "0")], end_stream=True)
        talk.send()

    async with backend2(serve) as behind:
        service = upstream(endpoint(behind.port), protocol=HttpProtocol.HTTP2)
        web, own = route("/a.Web", "web", grpc_web=True), route("/a.Own", "own")
        async with envoy_of(mesh_of((web, own), service), tmp_path) as port:
            bodies = []
            for path in ("/a.Web/Say", "/a.Own/Say"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                sent = b"\0\0\0\0\3one"
                head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {KIND}\r\nContent-Length: {len(sent)}\r\n\r\n"
                writer.write(head.encode() + sent)
                bodies.append((await read_answer(reader)).body)
                writer.close()
    assert kinds == [("/a.Web/Say", "application/grpc"), ("/a.Own/Say", KIND)]
    assert b"grpc-status:0" in bodies[0]
    assert bodies[1] == b"\0\0\0\0\3one"
