"""Registries that misbehave, over real sockets: slow, wrong, gone, flapping, empty, large, busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from aiohttp import web

from api_gateway_service_mesh.discovery import Discoveries, DiscoveryState, Standing
from api_gateway_service_mesh.discovery.source import SourceError
from api_gateway_service_mesh.discovery.sources import source_of
from api_gateway_service_mesh.model import Discovery, RegistryType
from api_gateway_service_mesh.model import Registry as Registered

from .faulty import Registry, entry, registry


class Followed:
    """One look-up that is followed, and how often its set changed."""

    def __init__(self, discoveries: Discoveries) -> None:
        self.discoveries = discoveries
        self.changes = 0

    @property
    def standing(self) -> Standing:
        found = self.discoveries.standing("urn:x:lookup")
        assert found is not None
        return found

    @property
    def used(self) -> list[int]:
        return [one.port for one in self.standing.held]


def lookup(url: str, empty_after: float = 30.0) -> Discovery:
    where = Registered("urn:x:registry", RegistryType.CONSUL, url)
    return Discovery("urn:x:lookup", where, "users", empty_after_seconds=empty_after)


@asynccontextmanager
async def following(url: str, empty_after: float = 30.0) -> AsyncIterator[Followed]:
    async def changed() -> None:
        followed.changes += 1

    followed = Followed(Discoveries(changed, random=Random(1)))
    followed.discoveries.adopt([lookup(url, empty_after)])
    try:
        yield followed
    finally:
        await followed.discoveries.stop()


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def told() -> AsyncIterator[Registry]:
    async with registry() as made:
        made.entries = [entry("127.0.0.1", 1), entry("127.0.0.1", 2)]
        yield made


async def test_instances_come_and_go(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        await told.tell([entry("127.0.0.1", 2), entry("", 3, Tags=["v2"], Meta={"zone": "b"}, Weights={"Passing": 7})])
        await until(lambda: followed.used == [3, 2] or followed.used == [2, 3])
        new = next(one for one in followed.standing.held if one.port == 3)
        assert (new.address, new.labels, new.zone, new.weight) == ("10.9.9.9", ("v2", "zone=b"), "b", 7)


async def _status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="no leader")


async def _nonsense(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>", headers={"X-Consul-Index": "9"})


async def _wrong_shape(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"a": [1]}', headers={"X-Consul-Index": "9"})


async def _no_service(request: web.Request) -> web.StreamResponse:
    return web.Response(text='[{"Node": 5}]', headers={"X-Consul-Index": "9"})


async def _no_index(request: web.Request) -> web.StreamResponse:
    return web.Response(text="[]")


async def _elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"location": "http://127.0.0.1:1/"})


async def _cut(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-length": "1000", "X-Consul-Index": "9"})
    await answer.prepare(request)
    await answer.write(b"[")
    assert request.transport is not None
    request.transport.abort()
    return answer


@pytest.mark.parametrize("wrong", [_status, _nonsense, _wrong_shape, _no_service, _no_index, _elsewhere, _cut])
async def test_a_wrong_answer_changes_nothing(told: Registry, wrong: Callable[..., object]) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        told.instead = wrong  # type: ignore[assignment]
        await told.tell([])
        await until(lambda: followed.standing.state is DiscoveryState.STALE)
        assert followed.used == [1, 2]
        assert followed.standing.fault
        told.instead = None
        await told.tell([entry("127.0.0.1", 9)])
        await until(lambda: followed.used == [9])
        assert followed.standing.state is DiscoveryState.CURRENT


async def test_a_registry_that_is_gone_and_comes_back() -> None:
    async with registry() as first:
        first.entries = [entry("127.0.0.1", 1)]
        port = int(first.url.rpartition(":")[2])
        followed_in = following(first.url)
        followed = await followed_in.__aenter__()
        try:
            await until(lambda: followed.used == [1])
        except BaseException:
            await followed_in.__aexit__(None, None, None)
            raise
    try:
        await until(lambda: followed.standing.state is DiscoveryState.STALE)
        assert followed.used == [1]
        async with registry(port) as second:
            second.entries = [entry("127.0.0.1", 1), entry("127.0.0.1", 2)]
            await until(lambda: followed.used == [1, 2])
            assert followed.standing.state is DiscoveryState.CURRENT
    finally:
        await followed_in.__aexit__(None, None, None)


async def test_a_slow_registry_holds_up_nothing(told: Registry) -> None:
    released = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        await released.wait()
        told.instead = None
        return await told.answer(request)

    told.instead = slowly
    async with following(told.url) as followed:
        await followed.discoveries.answered(0.1)  # gives up waiting
        assert followed.standing.state is DiscoveryState.WAITING
        released.set()
        await until(lambda: followed.used == [1, 2])


async def test_nobody_is_believed_when_it_is_said_again(told: Registry) -> None:
    async with following(told.url, empty_after=1.0) as followed:
        await until(lambda: followed.used == [1, 2])
        await told.tell([])
        await until(lambda: followed.standing.state is DiscoveryState.DOUBTED)
        assert followed.used == [1, 2]
        await until(lambda: followed.used == [])


async def test_nobody_for_a_moment_is_not_believed(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        await told.tell([])
        await until(lambda: followed.standing.state is DiscoveryState.DOUBTED)
        await told.tell([entry("127.0.0.1", 1), entry("127.0.0.1", 2)])
        await until(lambda: followed.standing.state is DiscoveryState.CURRENT)
        assert (followed.used, followed.changes) == ([1, 2], 1)


async def test_a_hundred_changes_a_second(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(100):
            await told.tell([entry("127.0.0.1", 1000 + number)])
            await asyncio.sleep(0.01)
        await until(lambda: followed.used == [1099])
        assert followed.changes <= 4 * (loop.time() - began) + 3
        assert len(told.asked) <= 10 * (loop.time() - began) + 5


async def test_ten_thousand_instances_and_more(told: Registry) -> None:
    told.entries = [entry(f"10.0.{number >> 8}.{number & 255}", 80) for number in range(10_050)]
    async with following(told.url) as followed:
        await until(lambda: len(followed.used) == 10_000, 60)
        assert followed.standing.left_out == 50


async def test_a_look_up_that_changes_keeps_what_it_had_until_it_is_answered(told: Registry) -> None:
    async with following(told.url) as followed:
        await until(lambda: followed.used == [1, 2])
        before = followed.standing
        followed.discoveries.adopt([lookup(told.url)])
        assert followed.standing is before
        followed.discoveries.adopt([lookup("http://127.0.0.1:1")])
        assert followed.standing is not before
        assert followed.used == [1, 2]
        followed.discoveries.adopt([])
        assert followed.discoveries.standing("urn:x:lookup") is None


async def test_a_token_that_cannot_be_read_is_no_answer(told: Registry) -> None:
    where = Registered("urn:x:registry", RegistryType.CONSUL, told.url, token_ref="env:NO_SUCH_TOKEN_HERE")
    with pytest.raises(SourceError, match="NO_SUCH_TOKEN_HERE"):
        async for _ in source_of(Discovery("urn:x:lookup", where, "users")).watch():
            pass
