"""Names are looked up again, every address is used, and one that does not answer costs a quarter of a second.

The addresses of loopback (127.0.0.0/8) stand for the machines behind a name; the look-up is the loop's own, told here
what to find.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api_gateway_service_mesh.model import Endpoint, Upstream
from api_gateway_service_mesh.proxy import resolver
from api_gateway_service_mesh.proxy.resolver import Addresses
from tests.support.gateway import Running, mesh_of, raw, route, running

NAME = "backend.test"


class Names:
    """What the resolver of the machine says."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked = 0
        self.hangs = False

    async def look_up(self, host: str, port: int, **_: Any) -> list[Any]:
        assert host == NAME
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if not self.told:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port, 0, 0) if ":" in one else (one, port),
            )
            for one in self.told
        ]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Set ``told`` before connections are made."""
    made = Names()
    loop = asyncio.get_running_loop()

    class Loop:
        def __getattr__(self, name: str) -> Any:
            return made.look_up if name == "getaddrinfo" else getattr(loop, name)

    monkeypatch.setattr(resolver, "running_loop", Loop)
    return made


@contextlib.asynccontextmanager
async def servers(*addresses: str, closing: bool = False) -> AsyncIterator[int]:
    """A server on each address, all on one port, that answers with its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = writer.get_extra_info("sockname")[0].encode()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                end = b"Connection: close\r\n" if closing else b""
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(mine), end, mine))
                if closing:
                    break
        writer.close()

    with socket.socket() as probe:
        probe.bind((addresses[0], 0))
        port = int(probe.getsockname()[1])
    open_ = [await asyncio.start_server(serve, one, port) for one in addresses]
    try:
        yield port
    finally:
        for one in open_:
            one.close()


def mesh(port: int, **more: Any) -> Any:
    service = Upstream("urn:test:service", "service", (Endpoint("urn:test:endpoint:one", NAME, port),), **more)
    return mesh_of(route(), service)


async def ask(gateway: Running) -> str:
    said = await raw(gateway.port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    return body.decode() if head.startswith(b"HTTP/1.1 200") else head.split(b" ", 2)[1].decode()


async def test_every_address_is_used(names: Names) -> None:
    names.told = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    async with servers(*names.told, closing=True) as port, running(mesh(port)) as gateway:
        found = [await ask(gateway) for _ in range(6)]
    assert found == names.told * 2
    assert names.asked == 1


async def test_an_address_that_refuses_is_passed_over(names: Names) -> None:
    names.told = ["127.0.0.9", "127.0.0.2"]
    async with servers("127.0.0.2", closing=True) as port, running(mesh(port)) as gateway:
        assert [await ask(gateway) for _ in range(3)] == ["127.0.0.2"] * 3


async def test_an_address_that_is_silent_costs_a_quarter_of_a_second(names: Names) -> None:
    """RFC 8305 §5. Nobody answers a SYN to a socket whose queue is full."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.9", 0))
        deaf.listen(0)
        port = int(deaf.getsockname()[1])
        filling = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.9", port))
            filling.append(one)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngood")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.2", port)
        names.told = ["127.0.0.9", "127.0.0.2"]
        async with running(mesh(port)) as gateway:
            began = time.monotonic()
            assert await ask(gateway) == "good"
            assert 0.2 < time.monotonic() - began < 3
        server.close()
        for one in filling:
            one.close()


async def test_the_families_take_turns(names: Names) -> None:
    """RFC 8305 §4: after the first address of the preferred family comes one of the other."""
    names.told = ["2001:db8::1", "2001:db8::2", "127.0.0.2"]
    async with servers("127.0.0.2", closing=True) as port, running(mesh(port)) as gateway:
        began = time.monotonic()
        assert await ask(gateway) == "127.0.0.2"
        assert time.monotonic() - began < 3


async def test_a_connection_that_fails_makes_the_name_be_looked_up_again(names: Names) -> None:
    names.told = ["127.0.0.9"]
    async with servers("127.0.0.2") as port, running(mesh(port)) as gateway:
        assert await ask(gateway) == "502"
        names.told = ["127.0.0.2"]
        _age(gateway, -3600)
        assert await ask(gateway) == "502"  # just looked up: not again at once
        _age(gateway, 3600 + resolver.DOUBT_SECONDS)
        assert await ask(gateway) == "127.0.0.2"


async def test_a_name_that_leads_elsewhere_moves_kept_connections(names: Names) -> None:
    names.told = ["127.0.0.2"]
    async with servers("127.0.0.2", "127.0.0.3") as port, running(mesh(port)) as gateway:
        assert [await ask(gateway) for _ in range(3)] == ["127.0.0.2"] * 3
        names.told = ["127.0.0.3"]
        _age(gateway, resolver.REFRESH_SECONDS + resolver.GONE_SECONDS)
        async with asyncio.timeout(10):
            while await ask(gateway) != "127.0.0.3":
                await asyncio.sleep(0.05)
        assert [await ask(gateway) for _ in range(3)] == ["127.0.0.3"] * 3


async def test_what_was_known_is_used_while_the_resolver_fails_or_hangs(names: Names) -> None:
    names.told = ["127.0.0.2"]
    async with servers("127.0.0.2", closing=True) as port, running(mesh(port)) as gateway:
        assert await ask(gateway) == "127.0.0.2"
        names.told = []
        _age(gateway, 3 * resolver.REFRESH_SECONDS)
        assert await ask(gateway) == "127.0.0.2"
        names.hangs = True
        _age(gateway, 3 * resolver.REFRESH_SECONDS)
        assert await ask(gateway) == "127.0.0.2"
        assert names.asked == 3


async def test_a_name_that_leads_nowhere_is_a_connect_failure(names: Names) -> None:
    async with running(mesh(1)) as gateway:
        assert await ask(gateway) == "502"
        assert names.asked >= 1


async def test_one_look_up_for_all_who_wait(names: Names) -> None:
    names.told = ["127.0.0.2"]
    async with servers("127.0.0.2") as port, running(mesh(port)) as gateway:
        found = await asyncio.gather(*(ask(gateway) for _ in range(20)))
        assert set(found) == {"127.0.0.2"}
        assert names.asked == 1


async def test_many_addresses_told_in_part_are_all_kept(names: Names) -> None:
    changes: list[int] = []
    addresses = Addresses(NAME, 1, lambda: changes.append(1))
    names.told = ["127.0.0.1", "127.0.0.2"]
    assert len(await addresses.candidates()) == 2
    names.told = ["127.0.0.3"]
    await addresses._look_up()
    assert {one[4][0] for one in await addresses.candidates()} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}
    names.told = ["127.0.0.2", "127.0.0.1"]
    await addresses._look_up()
    assert len(changes) == 1


def _age(gateway: Running, seconds: float) -> None:
    """As if so much time had passed since the name was looked up."""
    generation = gateway.engine.core().generation
    assert generation is not None
    for pool in generation.pools.values():
        for one in pool.endpoints.values():
            assert one.addresses is not None
            one.addresses._looked -= seconds
            one.addresses._seen = {address: when - seconds for address, when in one.addresses._seen.items()}
