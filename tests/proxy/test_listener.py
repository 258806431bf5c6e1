"""The listener on real sockets, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import uvloop

from api_gateway_service_mesh.errors import AgwError, ConfigError
from api_gateway_service_mesh.model import Limits, Listener, MtlsMode
from api_gateway_service_mesh.proxy.listener import OpenListener, bind, open_listener
from tests.support.certs import Authority, Issued, new_authority


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


class Echo(asyncio.Protocol):
    """Sends back what comes, after a line saying who spoke: ``plain``, ``tls``, or ``tls NAME``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        who = "plain"
        if transport.get_extra_info("ssl_object") is not None:
            peer = transport.get_extra_info("ssl_object").getpeercert() or {}
            names = [value for field in peer.get("subject", ()) for _, value in field]
            who = " ".join(["tls", *names])
        self.transport.write(f"{who}\n".encode())

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Issued:
    return authority.issue("server")


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[Listener], asyncio.Future[OpenListener]]]:
    listeners: list[OpenListener] = []

    async def start(listener: Listener) -> OpenListener:
        listeners.append(await open_listener(listener, Echo, host="127.0.0.1", port=0))
        return listeners[-1]

    yield start  # type: ignore[misc]
    for one in listeners:
        one.abort()
        await one.wait_closed()


def listener(
    server: Issued | None = None, mode: MtlsMode | None = None, *, trust: bool = True, **limits: float
) -> Listener:
    return Listener(
        iri="urn:test:listener",
        port=0,
        certificate=server.model(trust=trust) if server else None,
        mtls_mode=mode,
        limits=Limits(**limits),  # type: ignore[arg-type]
    )


def client(authority: Authority, issued: Issued | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.bundle))
    if issued is not None:
        context.load_cert_chain(issued.certificate_file, issued.key_file)
    return context


async def says(port: int, context: ssl.SSLContext | None = None, text: bytes = b"hello") -> str:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
    )
    try:
        writer.write(text)
        greeting = await reader.readline()
        if not greeting:
            raise ConnectionResetError("closed before a word")
        assert await reader.readexactly(len(text)) == text
        return greeting.decode().strip()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_plain(opened) -> None:
    port = (await opened(listener())).port
    assert await says(port) == "plain"
    assert await says(port, text=b"\x16\x03 is just data here") == "plain"


async def test_one_way_tls(opened, authority: Authority, server: Issued) -> None:
    port = (await opened(listener(server))).port
    assert await says(port, client(authority)) == "tls"
    assert await says(port, client(authority, server)) == "tls"  # not asked for, so not shown


async def test_permissive_serves_plain_text_tls_and_client_certificates_on_one_port(
    opened, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    port = (await opened(listener(server, MtlsMode.PERMISSIVE))).port
    assert await says(port) == "plain"
    assert await says(port, client(authority)) == "tls"
    assert await says(port, client(authority, authority.issue("caller"))) == "tls caller"
    stranger = new_authority(tmp_path, "stranger").issue("stranger")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await says(port, client(authority, stranger))


async def test_strict_demands_a_client_certificate(opened, authority: Authority, server: Issued) -> None:
    one = await opened(listener(server, MtlsMode.STRICT))
    assert await says(one.port, client(authority, authority.issue("caller"))) == "tls caller"
    for context in (client(authority), client(authority, authority.expired())):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await says(one.port, context)
    assert one.handshake_failures == 2


async def test_plain_http_on_a_tls_port_is_told_so(opened, server: Issued) -> None:
    for mode in (None, MtlsMode.STRICT):
        one = await opened(listener(server, mode))
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"use https" in answer
        writer.close()


async def test_a_client_that_says_nothing_is_dropped_at_the_header_timeout(opened, server: Issued) -> None:
    one = await opened(listener(server, MtlsMode.PERMISSIVE, header_timeout_seconds=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
    assert one.connections == 0


async def test_a_handshake_that_stalls_is_dropped_at_the_header_timeout(opened, server: Issued) -> None:
    one = await opened(listener(server, header_timeout_seconds=0.2))
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(b"\x16\x03\x01\x02\x00")
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
    await settled(lambda: one.connections == 0)
    assert one.handshake_failures == 1


async def test_garbage_after_the_tls_byte_fails_the_handshake_and_frees_the_socket(opened, server: Issued) -> None:
    one = await opened(listener(server))
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(b"\x16garbage" * 100)
    with contextlib.suppress(ConnectionResetError):
        await reader.read()
    writer.close()
    await settled(lambda: one.connections == 0)
    assert one.handshake_failures == 1


async def test_connections_over_the_bound_get_503_and_one_that_leaves_makes_room(opened) -> None:
    one = await opened(listener(max_connections=2))
    first, second = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(2)]
    for reader, _ in (first, second):
        assert await reader.readline() == b"plain\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    assert one.refused == 1
    first[1].close()
    await settled(lambda: one.connections == 1)
    assert await says(one.port) == "plain"
    second[1].close()


async def test_new_certificates_serve_new_connections_while_old_ones_live(
    opened, authority: Authority, server: Issued
) -> None:
    one = await opened(listener(server))
    old_reader, old = await asyncio.open_connection(
        "127.0.0.1", one.port, ssl=client(authority), server_hostname="localhost"
    )
    assert await old_reader.readline() == b"tls\n"
    one.replace(listener(authority.issue("renewed"), MtlsMode.STRICT))
    _, new = await asyncio.open_connection(
        "127.0.0.1", one.port, ssl=client(authority, server), server_hostname="localhost"
    )
    assert new.get_extra_info("peercert")["subject"] == ((("commonName", "renewed"),),)
    new.close()
    old.write(b"still here")
    assert await old_reader.readexactly(10) == b"still here"
    old.close()
    broken = replace(listener(server), certificate=replace(server.model(), certificate_file="/nowhere/at/all.pem"))
    with pytest.raises(ConfigError):
        one.replace(broken)
    assert await says(one.port, client(authority, server)) == "tls server"


async def test_close_leaves_open_connections_and_takes_those_in_the_backlog(opened) -> None:
    one = await opened(listener())
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    assert await reader.readline() == b"plain\n"
    waiting = socket.create_connection(("127.0.0.1", one.port))  # in the backlog: the loop has not run since
    one.close()
    writer.write(b"on")
    assert await reader.readexactly(2) == b"on"
    waiting.setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(waiting, 10) == b"plain\n"
    waiting.close()
    writer.close()
    await one.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", one.port)


async def test_without_descriptors_accepting_pauses_and_recovers(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway_service_mesh.proxy.listener._PAUSE_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    one = await opened(listener())
    assert await says(one.port) == "plain"
    await settled(lambda: one.connections == 0)
    waiting = socket.socket()
    waiting.setblocking(False)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 64, limits[1]))
    filling: list[int] = []
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                filling.append(os.dup(0))
        await loop.sock_connect(waiting, ("127.0.0.1", one.port))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.sock_recv(waiting, 10), 0.2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in filling:
            os.close(descriptor)
    assert await asyncio.wait_for(loop.sock_recv(waiting, 10), 20) == b"plain\n"
    waiting.close()


async def test_ports_that_cannot_be_had_say_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AgwError, match=f"Port {port} on 127.0.0.1 is in use") as caught:
            await open_listener(listener(), Echo, host="127.0.0.1", port=port)
    assert caught.value.remedy
    with pytest.raises(AgwError, match="is not an address of this host"):
        bind(listener(), host="192.0.2.1", port=0)
    with pytest.raises(AgwError, match="is unknown"):
        bind(listener(), host="no such host", port=0)


def test_bind_takes_both_families_and_reuses_a_port_among_workers() -> None:
    (first,) = bind(listener(), host="127.0.0.1", port=0, reuse_port=True)
    (second,) = bind(listener(), host="127.0.0.1", port=first.getsockname()[1], reuse_port=True)
    first.close()
    second.close()
    (both,) = bind(listener(), host="::", port=0)
    socket.create_connection(("127.0.0.1", both.getsockname()[1])).close()
    both.close()
    sockets = bind(listener(), host="localhost", port=0)
    assert len({sock.getsockname()[1] for sock in sockets}) == 1
    for sock in sockets:
        sock.close()


async def settled(condition: Callable[[], bool]) -> None:
    """Waits until a condition of the listener's own loop holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)
