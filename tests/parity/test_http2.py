"""Backends of HTTP/2, and gRPC-Web before them: both data planes with the same graph, and what the backend sees."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from tests.parity.running import ENVOY, envoy_of
from tests.peers.client import Client
from tests.peers.test_peers import _agw
from tests.support.http2 import Asked, Talk, backend2
from tests.support.serving import turtle

pytestmark = pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")

GRAPH = """
ex:plain a agw:Route ; agw:routePath "/plain/*" ; agw:hasBackendService ex:calls .
ex:web a agw:Route ; agw:grpcService "a.Web" ; agw:grpcWebEnabled true ; agw:hasBackendService ex:calls .
ex:own a agw:Route ; agw:grpcService "a.Own" ; agw:hasBackendService ex:calls .
ex:calls a agw:BackendService ; agw:address "127.0.0.1:%d" ; agw:upstreamProtocol "h2" .
"""
MESSAGE = b"\0\0\0\0\3one"
BARE = {"application/grpc+proto": "application/grpc"}
Seen = list[tuple[str | None, ...]]


async def asked(client: Client) -> dict[str, object]:
    """What a client of HTTP/1.1 gets: a page, a call of a browser, one of a service that wants none, one that fails."""
    web = "Content-Type: application/grpc-web+proto\r\nX-Grpc-Web: 1\r\n"
    page = await client.ask("/plain/a?b=1", "X-A: one\r\n", method="POST", body=b"body")
    found: dict[str, object] = {"page": (page.status, page.body, page.fields.get("x-b"))}
    for path in ("/a.Web/Say", "/a.Own/Say", "/a.Web/Fail"):
        said = await client.ask(path, web, method="POST", body=MESSAGE)
        message, trailers = said.body[:8], said.body[8:]
        found[path] = (
            said.status,
            said.fields.get("content-type"),
            message,
            trailers[:1],
            status_of(trailers, said.fields),
        )
    return found


def status_of(trailers: bytes, fields: dict[str, str]) -> str | None:
    """``grpc-status``: in the last frame of the body, or among the fields of an answer without one."""
    lines = dict(line.split(":", 1) for line in trailers[5:].decode().split("\r\n") if ":" in line)
    said = {name.lower(): value.strip() for name, value in lines.items()}
    return said.get("grpc-status", fields.get("grpc-status"))


async def test_both_planes_speak_http2_to_backends_and_web_to_browsers(tmp_path: Path) -> None:
    seen: Seen = []

    async def serve(asked: Asked, talk: Talk) -> None:
        fields = ("user-agent", "te", "x-a", "content-type", ":method", ":path", ":scheme")
        seen.append((asked.body.hex(), *(asked.get(name) for name in fields)))
        if (asked.get(":path") or "").startswith("/plain"):
            talk.h2.send_headers(asked.stream, [(":status", "201"), ("x-b", "two")])
            talk.h2.send_data(asked.stream, b"made", end_stream=True)
        elif (asked.get(":path") or "").endswith("Fail"):
            talk.h2.send_headers(
                asked.stream,
                [(":status", "200"), ("content-type", "application/grpc+proto"), ("grpc-status", "5")],
                end_stream=True,
            )
        else:
            talk.h2.send_headers(asked.stream, [(":status", "200"), ("content-type", "application/grpc+proto")])
            talk.h2.send_data(asked.stream, asked.body)
            talk.h2.send_headers(asked.stream, [("grpc-status", "0")], end_stream=True)
        talk.send()

    async with backend2(serve) as behind:
        file = tmp_path / "gateway.ttl"
        file.write_text(turtle(GRAPH % behind.port))
        mesh = (await asyncio.to_thread(build, SourceGraph.load([file]))).mesh
        async with _agw(file) as ours, envoy_of(mesh, tmp_path) as theirs:
            answers, views = [], []
            for port in (ours, theirs):
                seen.clear()
                answers.append(await asked(Client(port)))
                views.append(list(seen))
    assert answers[0] == answers[1]
    # Envoy's filter tells the backend of a browser's call no more than that it is one: "+proto" is left out.
    assert [
        tuple(BARE.get(said, said) if "/a.Web/" in str(view) else said for said in view) for view in views[0]
    ] == views[1]
    assert answers[0]["page"] == (201, b"made", "two")
    assert len(views[0]) == 4
