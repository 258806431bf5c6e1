"""The TLS layer: bodies of all sizes stay whole and apart, however their bytes are cut; backpressure, ends and faults."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import cast

import pytest

from api_gateway_service_mesh.model import Endpoint, Limits, Listener, MtlsMode, Upstream, UpstreamTls
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.proxy import Engine
from api_gateway_service_mesh.proxy.listener import open_listener
from api_gateway_service_mesh.proxy.tls_side import HANDED_ON_BYTES, LINGER_SECONDS, TlsSide
from api_gateway_service_mesh.routing import compile_table
from tests.support.backend import read_body, read_head
from tests.support.certs import new_authority
from tests.support.gateway import mesh_of, route

SIZES = (0, 1, 100, 16_384, 16_385, HANDED_ON_BYTES - 1, HANDED_ON_BYTES, HANDED_ON_BYTES + 1, 700_000)


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


class Wire:
    """One end of a connection whose bytes a test carries over itself."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.reading = True
        self.closed = self.aborted = self.ended = False

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def take(self, size: int) -> bytes:
        piece = bytes(self.sent[:size])
        del self.sent[:size]
        return piece

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 9) if name == "peername" else default


class Hearing(asyncio.Protocol):
    """Keeps what it hears; pauses at random when it is given somebody to draw."""

    def __init__(self, random: Random | None = None) -> None:
        self.heard = bytearray()
        self.transport: asyncio.Transport
        self.ended = False
        self.lost: list[Exception | None] = []
        self._random = random

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes and data
        self.heard += data
        if self._random is not None and self._random.random() < 0.2:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    def eof_received(self) -> bool:
        self.ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Pair:
    """A client's and a server's side, and what lies between them."""

    def __init__(self, folder: Path, random: Random | None = None) -> None:
        authority = new_authority(folder)
        server = authority.issue("server")
        inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        inside.load_cert_chain(server.certificate_file, server.key_file)
        outside = ssl.create_default_context(cafile=str(authority.bundle))
        loop = asyncio.get_running_loop()
        self.heard = Hearing(random), Hearing(random)
        self.sides = (
            TlsSide(self.heard[0], outside, loop, server_hostname="localhost"),
            TlsSide(self.heard[1], inside, loop, server_side=True),
        )
        self.wires = Wire(), Wire()
        for side, wire in zip(self.sides, self.wires, strict=True):
            side.connection_made(cast(asyncio.Transport, wire))

    async def carry(self, size: Callable[[], int] = lambda: 1 << 20) -> None:
        """Carry bytes over, in pieces of `size`, until there are no more."""
        idle = 0
        while idle < 3:
            idle += 1
            for wire, other, side in zip(self.wires, self.wires[::-1], self.sides[::-1], strict=True):
                if wire.sent and other.reading and not other.closed:
                    side.data_received(wire.take(size()))
                    idle = 0
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_pieces_are_the_bytes_are_the_same(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    pair = Pair(tmp_path, random)
    largest = random.choice((1, 7, 300, 5_000, 40_000, 300_000)) if seed else 300_000
    await pair.carry(lambda: random.randint(1, max(largest, 40)))
    assert all(side.ready.done() and side.ready.exception() is None for side in pair.sides)
    said = bytearray(), bytearray()
    for _ in range(30):
        for way in (0, 1):
            data = random.randbytes(random.choice((1, 60, 500, 16_384, 16_385, 70_000 if largest > 40 else 90)))
            said[way].extend(data)
            pair.sides[way].write(data)
        if random.random() < 0.7:
            await pair.carry(lambda: random.randint(1, max(largest, 40)))
    await pair.carry(lambda: random.randint(1, max(largest, 40)))
    assert (pair.heard[1].heard, pair.heard[0].heard) == said


async def test_one_record_is_handed_on_as_one(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    await pair.carry()
    heard: list[bytes] = []
    pair.heard[1].data_received = heard.append  # type: ignore[method-assign]
    pair.sides[1].set_protocol(pair.heard[1])
    pair.sides[0].write(b"x" * 300)
    await pair.carry()
    for _ in range(10):
        pair.sides[0].write(b"y" * 16_384)
    await pair.carry()
    assert heard[0] == b"x" * 300
    assert [len(piece) for piece in heard[1:]] == [HANDED_ON_BYTES, HANDED_ON_BYTES, 2 * 16_384]


async def test_what_was_said_before_the_end_arrives_and_then_the_end(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    await pair.carry()
    pair.sides[0].write(b"request that nobody reads")
    pair.sides[1].write(b"a" * 100_000)
    pair.sides[1].close()
    pair.sides[1].write(b"too late")
    assert pair.sides[1].is_closing() and not pair.wires[1].closed
    await pair.carry()
    assert pair.heard[0].heard == b"a" * 100_000 and pair.heard[0].ended
    assert pair.wires[0].closed and pair.wires[1].closed and not pair.wires[1].aborted
    assert not pair.heard[1].heard
    for side in pair.sides:
        side.connection_lost(None)
    assert pair.heard[0].lost == pair.heard[1].lost == [None]


async def test_who_does_not_answer_the_end_is_waited_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(tmp_path)
    await pair.carry()
    pair.sides[1].close()
    assert not pair.wires[1].closed
    async with asyncio.timeout(LINGER_SECONDS + 20):
        while not pair.wires[1].closed:
            await asyncio.sleep(0.05)
    assert not pair.wires[1].aborted  # what was written may still leave
    pair.sides[1].connection_lost(None)


async def test_a_changed_record_ends_the_connection_with_its_reason(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    await pair.carry()
    pair.sides[0].write(b"hello")
    pair.wires[0].sent[-1] ^= 1
    await pair.carry()
    assert not pair.heard[1].heard and pair.wires[1].closed
    pair.sides[1].connection_lost(None)
    (reason,) = pair.heard[1].lost
    assert isinstance(reason, ssl.SSLError)
    pair.sides[1].abort()
    for side in pair.sides:
        side.close()
        side.connection_lost(None)


async def test_an_end_without_goodbye_is_an_end(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    await pair.carry()
    assert pair.sides[1].eof_received() is False
    pair.sides[1].connection_lost(None)
    assert pair.heard[1].lost == [None] and pair.sides[1].is_closing()
    pair.sides[1].write(b"to nobody")
    pair.sides[0].connection_lost(ConnectionResetError("gone"))
    assert isinstance(pair.heard[0].lost[0], ConnectionResetError)


async def test_a_handshake_that_comes_to_nothing_is_told_as_what_it_is(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.sides[1].data_received(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        await pair.sides[1].shaken()
    assert pair.wires[1].ended
    pair.sides[1].connection_lost(None)
    pair.sides[0].eof_received()
    with pytest.raises(ConnectionResetError):
        await pair.sides[0].shaken()
    assert not pair.heard[0].lost and not pair.heard[1].lost  # they never heard that there was one
    pair.sides[0].connection_lost(None)


async def test_who_gives_up_waiting_for_the_handshake_gives_up_the_connection(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await pair.sides[0].shaken()
    assert pair.wires[0].aborted
    for side in pair.sides:
        side.connection_lost(None)


async def test_a_client_without_certificate_is_told_why(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    server = authority.issue("server")
    listener = Listener(
        "urn:test:front", 0, "127.0.0.1", certificate=server.model(), mtls_mode=MtlsMode.STRICT, limits=Limits()
    )
    opened = await open_listener(listener, Hearing, host="127.0.0.1", port=0)
    outside = ssl.create_default_context(cafile=str(authority.bundle))
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port, ssl=outside, server_hostname="localhost")
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        async with asyncio.timeout(20):
            await reader.read()
    writer.close()
    assert opened.handshake_failures == 1
    opened.abort()
