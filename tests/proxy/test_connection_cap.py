"""Caps on the connections of one address: on real sockets, on asyncio and uvloop, with and without a core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
import uvloop

from api_gateway_service_mesh.model import ConnectionCap, Limits, Listener
from api_gateway_service_mesh.policies.listener import HandshakeFault, ListenerTotals, read_listener
from api_gateway_service_mesh.policies.refusal import read_refusals
from api_gateway_service_mesh.proxy.refusals import NUMBERS
from tests.support.backend import answer, backend, says
from tests.support.certs import Authority, new_authority
from tests.support.gateway import Running, endpoint, mesh_of, route, running, upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WEB = "urn:test:web"
KIND = "too-many-connections-from-address"


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("certs"))


def web(most: int | None, **fields: object) -> Listener:
    cap = ConnectionCap("urn:test:cap", most) if most is not None else None
    return replace(Listener(WEB, 0, "127.0.0.1", connection_cap=cap), **fields)  # type: ignore[arg-type]


def totals(gateway: Running) -> ListenerTotals:
    return read_listener(gateway.store.view, gateway.layout.slots["listener", WEB], 1)


class Client:
    """Connections from one address of this machine: all of 127.0.0.0/8 is."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port = port
        self.source = source
        self.open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self, tls: ssl.SSLContext | None = None) -> None:
        self.open.append(
            await asyncio.open_connection(
                "127.0.0.1",
                self.port,
                local_addr=(self.source, 0),
                ssl=tls,
                server_hostname="localhost" if tls else None,
            )
        )

    async def asks(self, tls: ssl.SSLContext | None = None) -> int:
        """Connects and sends a request: the status, 0 when there is no answer. Keeps the connection if there is one."""
        try:
            await self.connect(tls)
            reader, writer = self.open[-1]
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return 0
        status = int(head.split()[1])
        if status != 200:
            self.body = await reader.read()
            self.open.pop()[1].close()
        return status

    async def leaves(self) -> None:
        _, writer = self.open.pop()
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_address_holds_so_many_and_another_has_its_own() -> None:
    listener = web(2)
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), listeners=(listener,), access_log=True)
        async with running(mesh, listener=listener) as gateway:
            one, other = Client(gateway.port), Client(gateway.port, "127.0.0.9")
            assert [await one.asks() for _ in range(3)] == [200, 200, 429]
            assert json.loads(one.body)["type"] == f"urn:agw:problem:{KIND}"
            assert [await other.asks() for _ in range(3)] == [200, 200, 429]
            assert await one.asks() == 429
            assert totals(gateway) == ListenerTotals(4, 4, 0, 3, 0, (0,) * len(HandshakeFault))
            kinds = read_refusals(gateway.store.view, gateway.layout.slots["refusal", mesh.iri], 1)
            assert kinds[NUMBERS[KIND]] == 3
            line = json.loads(next(line for line in gateway.log if KIND in line))
            assert (line["client"], line["status"], line["flags"]) == ("127.0.0.1", 429, ["CL"])
            assert (line["listener"], line["refused_by"]) == (WEB, "urn:test:cap")
            await one.leaves()
            await until(lambda: totals(gateway).open == 3)
            assert await one.asks() == 200


async def test_a_flood_leaves_neither_memory_nor_lines_behind() -> None:
    listener = web(1)
    mesh = mesh_of(route(), upstream(endpoint(1)), listeners=(listener,), access_log=True)
    async with running(mesh, listener=listener) as gateway:
        one = Client(gateway.port)
        await one.connect()
        await until(lambda: totals(gateway).open == 1)
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", gateway.port)):
                pass
        await until(lambda: totals(gateway).crowded == 300)
        assert totals(gateway).open == 1
        assert 0 < len([line for line in gateway.log if KIND in line]) < 300
        await one.leaves()


async def test_over_all_addresses_the_listener_s_bound_holds() -> None:
    listener = web(5, limits=Limits(max_connections=1))
    mesh = mesh_of(route(), upstream(endpoint(1)), listeners=(listener,), access_log=True)
    async with running(mesh, listener=listener) as gateway:
        one, other = Client(gateway.port), Client(gateway.port, "127.0.0.9")
        await one.connect()
        assert await other.asks() == 503
        assert (totals(gateway).full, totals(gateway).crowded) == (1, 0)
        line = json.loads(next(line for line in gateway.log if "too-many-connections:" in line))
        assert (line["client"], line["status"], line["refused_by"]) == ("127.0.0.9", 503, WEB)
        kinds = read_refusals(gateway.store.view, gateway.layout.slots["refusal", mesh.iri], 1)
        assert kinds[NUMBERS["too-many-connections"]] == 1
        await one.leaves()


async def test_with_tls_it_is_refused_before_the_handshake(authority: Authority) -> None:
    issued = authority.issue("server")
    listener = web(1, certificate=issued.model())
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), listeners=(listener,))
        async with running(mesh, listener=listener) as gateway:
            one, context = Client(gateway.port), ssl.create_default_context(cafile=str(authority.bundle))
            assert await one.asks(context) == 200
            assert await one.asks(context) == 0
            assert (totals(gateway).crowded, totals(gateway).failed) == (1, 0)
            await one.leaves()
            await until(lambda: totals(gateway).open == 0)
            assert await one.asks(context) == 200
            # One that goes away before or during its handshake is counted down as well.
            await one.leaves()
            await until(lambda: totals(gateway).open == 0)
            for sent in (b"", b"\x16\x03\x01\x02\x00"):
                await one.connect()
                one.open[-1][1].write(sent)
                await until(lambda: totals(gateway).open == 1)
                await one.leaves()
                await until(lambda: totals(gateway).open == 0)


async def test_trusted_proxies_are_not_counted() -> None:
    cap = ConnectionCap("urn:test:cap", 1, exempt=("127.0.0.9/32",))
    listener = web(None, connection_cap=cap)
    async with backend(says(answer(b"ok"))) as behind:
        mesh = mesh_of(route(), upstream(endpoint(behind.port)), listeners=(listener,))
        async with running(mesh, listener=listener) as gateway:
            proxy, one = Client(gateway.port, "127.0.0.9"), Client(gateway.port)
            assert [await proxy.asks() for _ in range(3)] == [200, 200, 200]
            assert [await one.asks() for _ in range(2)] == [200, 429]


async def test_of_ipv6_the_block_counts() -> None:
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    listener = replace(web(1), bind_address="::")
    mesh = mesh_of(route(), upstream(endpoint(1)), listeners=(listener,))
    async with running(mesh) as gateway:
        port = await gateway.engine.listen(listener, host="::", port=0)
        held = [socket.create_connection((host, port)) for host in ("::1", "127.0.0.1")]
        await until(lambda: totals(gateway).open == 2)  # two addresses, one of them mapped
        for host in ("::1", "127.0.0.1"):
            reader, writer = await asyncio.open_connection(host, port)
            assert await asyncio.wait_for(reader.readexactly(12), 20) == b"HTTP/1.1 429"
            writer.close()
        for sock in held:
            sock.close()


async def test_a_new_cap_counts_who_is_there_and_turns_nobody_out() -> None:
    mesh = mesh_of(route(), upstream(endpoint(1)), listeners=(web(None),))
    async with running(mesh, listener=web(None)) as gateway:
        (opened,) = gateway.engine._listeners
        one = Client(gateway.port)
        for _ in range(3):
            await one.connect()
        await until(lambda: totals(gateway).open == 3)
        for most, refused in ((2, True), (4, False)):
            listener = web(most)
            gateway.install(replace(mesh, listeners=(listener,)), str(most))
            opened.replace(listener)
            before = totals(gateway)
            with socket.create_connection(("127.0.0.1", gateway.port)):
                await until(lambda: totals(gateway) != before)  # noqa: B023 - awaited here
                assert totals(gateway).crowded == before.crowded + refused
            await until(lambda: totals(gateway).open == 3)
        gateway.install(mesh, "free again")
        opened.replace(web(None))
        for _ in range(3):
            await one.connect()
        await until(lambda: totals(gateway).open == 6)
        while one.open:
            await one.leaves()
        await until(lambda: totals(gateway).open == 0)
