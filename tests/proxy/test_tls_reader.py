"""Through TLS on both sides, in one room, bodies of all sizes stay whole and apart; backpressure and ends pass through."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from pathlib import Path

from api_gateway_service_mesh.model import Endpoint, Limits, Listener, Upstream, UpstreamTls
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.proxy.tls_reader import ROOM_BYTES, TlsReader, make_room
from api_gateway_service_mesh.routing import compile_table
from tests.support.backend import read_body, read_head
from tests.support.certs import new_authority
from tests.support.gateway import mesh_of, route

SIZES = (0, 1, 100, 16_384, 16_385, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 700_000)


async def test_bodies_of_all_sizes_both_ways_on_many_connections_at_once(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    server = authority.issue("server")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(server.certificate_file, server.key_file)
    outside = ssl.create_default_context(cafile=str(authority.bundle))

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                body = await read_body(reader, await read_head(reader))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    behind = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=inside)
    port = behind.sockets[0].getsockname()[1]
    service = Upstream(
        "urn:test:service",
        "service",
        (Endpoint("urn:test:endpoint", "127.0.0.1", port, tls=True),),
        tls=UpstreamTls(authority.trust_model(), server_name="localhost"),
    )
    mesh = mesh_of(route(), service)
    store = CellStore.local(2**16)
    layout = CellLayout(store)
    layout_for(mesh, layout, 1)
    engine = Engine(cells=store)
    engine.install(mesh, compile_table(mesh), layout.slots, "1")
    front = Listener("urn:test:front", 0, "127.0.0.1", certificate=server.model(), limits=Limits())
    listening = await engine.listen(front, host="127.0.0.1", port=0)

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", listening, ssl=outside, server_hostname="localhost", limit=2**20
        )
        for size in SIZES:
            body = hashlib.shake_128(b"%d %d" % (number, size)).digest(size)
            writer.write(b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (number, size) + body)
            await writer.drain()
            head = await read_head(reader)
            assert head.line == "HTTP/1.1 200 OK"
            assert await read_body(reader, head) == body
        writer.close()

    async with asyncio.timeout(60):
        await asyncio.gather(*(client(number) for number in range(8)))
    engine.close()
    behind.close()


def test_the_room_is_free_again_before_the_protocol_hears() -> None:
    """A protocol that makes another connection read meanwhile keeps what it was given."""
    room = make_room()
    heard: list[bytes] = []

    class Inner(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            room[:5] = b"other"
            heard.append(data)

    reader = TlsReader(Inner(), room)
    reader.get_buffer(10)[:5] = b"first"
    reader.buffer_updated(5)
    assert heard == [b"first"]
